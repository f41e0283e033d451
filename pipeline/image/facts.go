package image

// FactsVersion is the version of the facts' JSON shape. It rises when a field changes its meaning or goes; new fields
// leave it as it is.
const FactsVersion = 1

// Facts is what is true of an image without running it, in the JSON shape that policies judge: docs/facts.md.
// Paths are absolute, modes are octal text ("0755", "4755"), layers are indexes into Layers, bottom first from 0.
type Facts struct {
	Version  int           `json:"version" jsonschema_description:"Version of this shape: 1."`
	Digest   string        `json:"digest" jsonschema_description:"Digest of the image's manifest."`
	Config   ConfigFacts   `json:"config" jsonschema_description:"How the image says it is to be run."`
	Platform PlatformFacts `json:"platform" jsonschema_description:"What the image runs on."`
	OS       OSFacts       `json:"os" jsonschema_description:"The image's os-release file; empty texts where it has none."`
	Packages []Package     `json:"packages" jsonschema_description:"Packages installed according to dpkg and apk, by name."`

	Commands map[string]CommandFact `json:"commands" jsonschema_description:"By name, the commands that the configuration's user finds on the configuration's PATH."`
	Path     []string               `json:"path" jsonschema_description:"The folders of the PATH that commands were looked up in."`
	// UserPath is empty where nothing sets another PATH.
	UserPath     *PathFact              `json:"user_path,omitempty" jsonschema_description:"The PATH that a login of the configuration's user sets; absent where nothing sets another."`
	UserCommands map[string]CommandFact `json:"user_commands,omitempty" jsonschema_description:"By name, the commands on user_path; absent where nothing sets another PATH."`

	Java    []JavaFact          `json:"java" jsonschema_description:"Every Java home."`
	Users   []UserFact          `json:"users" jsonschema_description:"/etc/passwd."`
	Groups  []GroupFact         `json:"groups" jsonschema_description:"/etc/group."`
	Files   map[string]FileFact `json:"files" jsonschema_description:"By path, the files that policies asked for, and always: setuid and setgid files, files with capabilities, world-writable folders without the sticky bit, devices."`
	Scripts map[string]string   `json:"scripts" jsonschema_description:"By path, the text of small scripts (under 32 KiB): those with entrypoint in their name, *.sh in /usr/local/bin, and any at the root or directly under /opt. Secrets are masked by their shape."`
	PAM     map[string][]string `json:"pam" jsonschema_description:"By service, the lines of its file in /etc/pam.d without comments: only su, and only where the image has it."`
	Layers  []LayerFact         `json:"layers" jsonschema_description:"Layers, bottom first."`
	History []HistoryFact       `json:"history" jsonschema_description:"The image's history, oldest first."`
	Size    SizeFact            `json:"size" jsonschema_description:"Bytes of all layers together."`
	Caches  []CacheFact         `json:"caches" jsonschema_description:"What package managers left behind, in whichever layer, with the bytes that it costs the image."`
}

// ConfigFacts is the image's configuration. Values that look like secrets are masked.
type ConfigFacts struct {
	User         string            `json:"user" jsonschema_description:"As written: name or number, with group after a colon; empty is root."`
	UID          *int64            `json:"uid,omitempty" jsonschema_description:"The user's number, looked up in /etc/passwd; absent where it is not there."`
	Entrypoint   []string          `json:"entrypoint" jsonschema_description:"ENTRYPOINT."`
	Cmd          []string          `json:"cmd" jsonschema_description:"CMD."`
	Env          []EnvFact         `json:"env" jsonschema_description:"ENV, in order."`
	Labels       map[string]string `json:"labels" jsonschema_description:"LABEL. Values that look like secrets are masked."`
	Workdir      string            `json:"workdir" jsonschema_description:"WORKDIR; empty is the root."`
	ExposedPorts []string          `json:"exposed_ports" jsonschema_description:"EXPOSE, as port/protocol."`
	Volumes      []string          `json:"volumes" jsonschema_description:"VOLUME."`
	Healthcheck  *HealthcheckFact  `json:"healthcheck,omitempty" jsonschema_description:"HEALTHCHECK; absent where there is none."`
	StopSignal   string            `json:"stop_signal" jsonschema_description:"STOPSIGNAL; empty is the runtime's default."`
	Created      string            `json:"created,omitempty" jsonschema_description:"When the image says that it was made, RFC 3339."`
}

// EnvFact is one environment variable of the configuration.
type EnvFact struct {
	Name       string `json:"name" jsonschema_description:"Name."`
	Value      string `json:"value" jsonschema_description:"Value; *** where it looks like a secret."`
	SecretLike bool   `json:"secret_like" jsonschema_description:"The value looks like a secret."`
	Reason     string `json:"reason,omitempty" jsonschema_description:"Why it looks like one."`
}

// HealthcheckFact is the configuration's health check; durations in seconds, 0 is the runtime's default.
type HealthcheckFact struct {
	Test     []string `json:"test" jsonschema_description:"NONE, CMD or CMD-SHELL, then arguments."`
	Interval float64  `json:"interval" jsonschema_description:"Seconds between checks; 0 is the runtime's default."`
	Timeout  float64  `json:"timeout" jsonschema_description:"Seconds that one check may take; 0 is the runtime's default."`
	Retries  int      `json:"retries" jsonschema_description:"Failures in a row that make the container unhealthy; 0 is the runtime's default."`
}

// PlatformFacts is what the image runs on.
type PlatformFacts struct {
	OS           string `json:"os" jsonschema_description:"For example linux."`
	Architecture string `json:"architecture" jsonschema_description:"For example amd64."`
	Variant      string `json:"variant,omitempty" jsonschema_description:"For example v8."`
}

// OSFacts is the image's os-release file.
type OSFacts struct {
	ID         string   `json:"id" jsonschema_description:"ID, for example debian."`
	VersionID  string   `json:"version_id" jsonschema_description:"VERSION_ID, for example 12."`
	Codename   string   `json:"codename" jsonschema_description:"VERSION_CODENAME, for example bookworm."`
	PrettyName string   `json:"pretty_name" jsonschema_description:"PRETTY_NAME."`
	IDLike     []string `json:"id_like" jsonschema_description:"ID_LIKE, closest first."`
}

// CommandFact is a command that a PATH leads to.
type CommandFact struct {
	Path   string `json:"path" jsonschema_description:"Where it is on the PATH."`
	Target string `json:"target" jsonschema_description:"The file that it is after all symbolic links."`
	Mode   string `json:"mode" jsonschema_description:"The file's mode, octal."`
	UID    uint32 `json:"uid" jsonschema_description:"The file's owner."`
	Layer  int    `json:"layer" jsonschema_description:"Index of the layer that brought the file."`
}

// PathFact is a PATH and the file that sets it.
type PathFact struct {
	Path   []string `json:"path" jsonschema_description:"Its folders."`
	Source string   `json:"source" jsonschema_description:"The file that sets it."`
}

// JavaFact is one Java home.
type JavaFact struct {
	Home           string `json:"home" jsonschema_description:"The folder that holds bin/java."`
	Version        string `json:"version" jsonschema_description:"JAVA_VERSION of its release file, for example 17.0.12 or 1.8.0_191; empty where it has none."`
	RuntimeVersion string `json:"runtime_version,omitempty" jsonschema_description:"JAVA_RUNTIME_VERSION of its release file."`
	Vendor         string `json:"vendor" jsonschema_description:"IMPLEMENTOR of its release file; empty where it has none."`
	OnPath         bool   `json:"on_path" jsonschema_description:"The command java leads to this home."`
	Layer          int    `json:"layer" jsonschema_description:"Index of the layer that brought its java command."`
}

// UserFact is one line of /etc/passwd, with what /etc/shadow says of its password. No hash is ever kept.
type UserFact struct {
	Name     string `json:"name" jsonschema_description:"Name."`
	UID      int64  `json:"uid" jsonschema_description:"Number."`
	GID      int64  `json:"gid" jsonschema_description:"Number of its own group."`
	Home     string `json:"home" jsonschema_description:"Home folder."`
	Shell    string `json:"shell" jsonschema_description:"Shell."`
	Locked   bool   `json:"locked" jsonschema_description:"No password opens it: its password field starts with ! or *."`
	Password string `json:"password" jsonschema:"enum=none,enum=locked,enum=empty,enum=set" jsonschema_description:"none: no shadow line; locked; empty: anyone may log in; set: the image holds a password hash."`
}

// GroupFact is one line of /etc/group.
type GroupFact struct {
	Name    string   `json:"name" jsonschema_description:"Name."`
	GID     int64    `json:"gid" jsonschema_description:"Number."`
	Members []string `json:"members" jsonschema_description:"Names of its further members."`
}

// FileFact is one file of the merged image.
type FileFact struct {
	Type   string `json:"type" jsonschema:"enum=file,enum=dir,enum=symlink,enum=char-device,enum=block-device,enum=fifo" jsonschema_description:"Kind."`
	Mode   string `json:"mode" jsonschema_description:"Octal, with setuid, setgid and sticky as the first digit."`
	UID    uint32 `json:"uid" jsonschema_description:"Owner."`
	GID    uint32 `json:"gid" jsonschema_description:"Group."`
	Size   int64  `json:"size" jsonschema_description:"Bytes."`
	Target string `json:"target,omitempty" jsonschema_description:"A symbolic link's target as written."`
	// ResolvesTo is empty where the link is broken.
	ResolvesTo   string `json:"resolves_to,omitempty" jsonschema_description:"Where a symbolic link leads in the end; absent where it is broken."`
	Capabilities bool   `json:"capabilities,omitempty" jsonschema_description:"The file carries Linux capabilities."`
	Layer        int    `json:"layer" jsonschema_description:"Index of the layer that brought it; -1 for a folder that no layer names."`
}

// LayerFact is one layer.
type LayerFact struct {
	Index     int    `json:"index" jsonschema_description:"From 0, bottom first."`
	DiffID    string `json:"diff_id" jsonschema_description:"Digest of the uncompressed tar."`
	Digest    string `json:"digest" jsonschema_description:"Digest of the blob as stored."`
	Size      int64  `json:"size" jsonschema_description:"Bytes of the blob as stored."`
	CreatedBy string `json:"created_by" jsonschema_description:"The history entry that made it, secrets masked; empty where unknown."`
	Files     int    `json:"files" jsonschema_description:"Entries of any kind, without whiteouts."`
	Bytes     int64  `json:"bytes" jsonschema_description:"Bytes of its regular files."`
}

// HistoryFact is one step of the image's history.
type HistoryFact struct {
	CreatedBy  string `json:"created_by" jsonschema_description:"The step, secrets masked."`
	Layer      int    `json:"layer" jsonschema_description:"Index of the layer that it made; -1 where it made none."`
	SecretLike bool   `json:"secret_like" jsonschema_description:"The step holds what looks like a secret."`
	Reason     string `json:"reason,omitempty" jsonschema_description:"Why it looks like one."`
}

// SizeFact is the image's size in bytes.
type SizeFact struct {
	Compressed   int64 `json:"compressed" jsonschema_description:"Bytes of the blobs as stored: what a pull transfers."`
	Uncompressed int64 `json:"uncompressed" jsonschema_description:"Bytes of the tar streams: what a pull unpacks."`
}

// CacheFact is a package manager's leftovers in one layer.
type CacheFact struct {
	Manager string `json:"manager" jsonschema:"enum=apt,enum=apk,enum=yum,enum=pip,enum=conda,enum=npm,enum=maven,enum=ivy" jsonschema_description:"Whose cache it is."`
	Path    string `json:"path" jsonschema_description:"Its folder."`
	Bytes   int64  `json:"bytes" jsonschema_description:"Bytes of the files below it in this layer."`
	Files   int    `json:"files" jsonschema_description:"Number of these files."`
	Layer   int    `json:"layer" jsonschema_description:"Index of the layer that holds it."`
	// Deleted files still cost their layer's bytes.
	Deleted bool `json:"deleted" jsonschema_description:"A later layer deletes all of it, which saves no bytes."`
}

// FactsOptions says what else the facts should hold.
type FactsOptions struct {
	// Files are the absolute paths and globs ("/opt/spark/jars/*.jar", "/etc/**") of files that policies ask for.
	Files []string
	// Limits bounds the facts; only Facts is looked at.
	Limits Limits
}
