// Package config reads hallmark.yaml: what to build, which gates apply, where the image goes.
//
// It is strict. Whatever it does not understand is refused, with the file, the line, the column, the line itself and
// what was probably meant; all problems are told at once. Defaults stand in defaults.go and nowhere else. The same
// description of the fields serves the decoder, the overrides, the JSON schema and the reference in
// docs/configuration.md, so that these cannot disagree.
//
// It knows what may be written, not how anything is done: it opens no image, no registry and no secret. It reads one
// file and holds references to secrets, never the secrets.
package config

import (
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// Config is everything that a run is told. Every path in it is absolute; every secret is a reference.
type Config struct {
	Image    string   `yaml:"image" doc:"Repository of the image. With a registry host it is pushed there (registry.example.com/platform/spark); without one (spark) it goes to the registry that Hallmark embeds. Neither tag nor digest: staging tags are made by the run, golden tags are named in promote.tags." default:"the name of the folder" example:"registry.example.com/platform/spark"`
	Build    Build    `yaml:"build" doc:"How the image is built."`
	Check    Check    `yaml:"check" doc:"Which minimum requirements the image must meet."`
	Scan     Scan     `yaml:"scan" doc:"What is known against the image, and how much of it is too much."`
	Sign     Sign     `yaml:"sign" doc:"Who signs the image and its evidence."`
	Launch   []Launch `yaml:"launch" doc:"Where the image is launched before it may become golden. An empty list launches nothing; one launch for each target and profile."`
	Promote  Promote  `yaml:"promote" doc:"Which tags become golden, and on what evidence."`
	Verify   Verify   `yaml:"verify" doc:"What hallmark verify asks of an image, besides what promote.require does. The verb's flags, and the action's inputs, stand in place of the fields of their names."`
	Run      Steps    `yaml:"run" doc:"Which of its steps a run takes. The flags --only and --skip, and the action's inputs of these names, stand in place of both."`
	Reports  Reports  `yaml:"reports" doc:"Files for reports of a run, beside those that it keeps in Hallmark's data folder, and what a CI system is shown of it. --report KIND=FILE, and the action's inputs, stand in place of the one of their kind."`
	Registry Registry `yaml:"registry" doc:"How registries are reached."`
	Engine   Engine   `yaml:"engine" doc:"What builds the image and runs it in the sandbox."`

	// File is the file that was read; empty where there was none.
	File string `yaml:"-"`
	// Dir is the folder against which the relative paths of the configuration were read.
	Dir string `yaml:"-"`

	origins map[string]string // path of a field -> where its value comes from
	lines   map[string]int    // path of a field -> its line in File
}

// Line is the line of File that the field at path was written in, or else the nearest field that holds it; 0: none.
func (c *Config) Line(path string) int {
	for path != "" {
		if line := c.lines[path]; line > 0 {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// Build says how the image is built.
type Build struct {
	Context         string                `yaml:"context" format:"path" doc:"Folder that the Dockerfile's COPY and ADD read from."`
	Dockerfile      string                `yaml:"dockerfile" format:"context-path" doc:"The Dockerfile, relative to the context."`
	Target          string                `yaml:"target" doc:"Stage to build; empty: the last one." example:"runtime"`
	Platforms       []string              `yaml:"platforms" format:"platform" doc:"Platforms to build for, each os/architecture or os/architecture/variant."`
	Args            map[string]string     `yaml:"args" doc:"Values for the Dockerfile's ARG instructions. They stay readable in the image's history: secrets belong in build.secrets. On the command line --build-arg NAME=VALUE sets one; --build-arg NAME takes the value that the environment has, if it has one." example:"{SPARK_VERSION: 4.0.1}"`
	Secrets         map[string]secret.Ref `yaml:"secrets" doc:"Secrets for RUN --mount=type=secret, by id." example:"{pip-index: env:PIP_INDEX_URL}"`
	Contexts        map[string]string     `yaml:"contexts" doc:"Named contexts for COPY --from and FROM: a folder, docker-image://REFERENCE, oci-layout://FOLDER, or the address of a Git repository or an archive." example:"{debian: oci-layout://./base}"`
	Cache           Cache                 `yaml:"cache" doc:"Build caches outside the engine."`
	Compression     Compression           `yaml:"compression" doc:"How layers that the build makes are compressed: gzip is read everywhere, zstd is smaller and faster and needs Docker 23 or containerd 1.5 to run. Layers of base images stay as they are."`
	SourceDateEpoch Epoch                 `yaml:"source_date_epoch" doc:"Date of the image, and the latest date of files in its layers, so that the same inputs give the same digest: seconds since 1970, a date, or a date and time (RFC 3339)." default:"the environment's SOURCE_DATE_EPOCH; else the last commit that touched the context, and for files the base image's date" example:"1735689600"`
	Labels          map[string]string     `yaml:"labels" doc:"Labels to set on the image, besides those of the Dockerfile." example:"{org.opencontainers.image.source: https://example.com/spark}"`
	NoCache         bool                  `yaml:"no_cache" doc:"Run every build step again, whatever is cached."`
}

// Cache names build caches in BuildKit's words.
type Cache struct {
	From []string `yaml:"from" format:"cache" doc:"Caches to read: type=registry,ref=REFERENCE or type=local,src=FOLDER." example:"['type=registry,ref=registry.example.com/cache/spark']"`
	To   []string `yaml:"to" format:"cache" doc:"Caches to write: type=registry,ref=REFERENCE or type=local,dest=FOLDER." example:"['type=local,dest=.cache']"`
}

// Promote says which tags become golden, and on what evidence.
type Promote struct {
	Tags    []string       `yaml:"tags" format:"tag" doc:"Tags to move to the image once all gates have passed. An empty list promotes nothing."`
	Require []EvidenceKind `yaml:"require" doc:"Evidence that must be signed and attached before a tag moves." default:"all that the run makes; without launch where nothing is launched"`
	MaxAge  Duration       `yaml:"max_age" doc:"How old evidence may be when a tag moves; 0 means any age."`
}

// Verify says what a verification asks of an image.
type Verify struct {
	MaxAge   Duration `yaml:"max_age" doc:"How old evidence may be; 0 means any age." default:"any age"`
	Promoted bool     `yaml:"promoted" doc:"Whether the tag must stand where its last signed promotion put it. What was never promoted to it, or was replaced since, fails; a digest, which is no tag, is refused."`
}

// Registry says how registries are reached.
type Registry struct {
	PlainHTTP []string              `yaml:"plain_http" format:"host" doc:"Registries to speak to without TLS. Loopback addresses need not be named." example:"[registry.internal:5000]"`
	Auth      map[string]Credential `yaml:"auth" doc:"Credentials by registry host. A host that is not named here is looked up in Docker's configuration and its helpers." example:"{registry.example.com: {username: ci, password: env:REGISTRY_PASSWORD}}"`
	Root      string                `yaml:"root" format:"path" doc:"Folder in which the embedded registry keeps images." default:"registry, in Hallmark's data folder"`
}

// Credential is how to log in to one registry: a user name with a password, or a token.
type Credential struct {
	Username string     `yaml:"username" doc:"User name for basic authentication." example:"ci"`
	Password secret.Ref `yaml:"password" doc:"Password for basic authentication." example:"env:REGISTRY_PASSWORD"`
	Token    secret.Ref `yaml:"token" doc:"Bearer token, instead of user name and password." example:"file:/run/secrets/registry-token"`
}

// Engine says what builds.
type Engine struct {
	Use  string   `yaml:"use" format:"engine" doc:"auto takes the BuildKit at BUILDKIT_HOST where that is set, else the embedded engine where Hallmark runs as root, else Docker. embedded and docker insist; docs/engines.md says what Docker needs. An address (unix:///run/buildkit/buildkitd.sock, tcp://HOST:PORT) names a BuildKit."`
	Root string   `yaml:"root" format:"path" doc:"Folder in which the embedded engine keeps its cache." default:"engine, in Hallmark's data folder"`
	Wait Duration `yaml:"wait" doc:"How long a run waits for another one on the same machine that uses the embedded engine, or that builds the same image from the same context."`
}
