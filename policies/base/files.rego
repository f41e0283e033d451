package hallmark.base

import data.hallmark.image
import data.hallmark.words

# METADATA
# title: Setuid and setgid files must be known ones
# description: Such a file gives whoever runs it the rights of its owner; each is a way to root.
# custom:
#   severity: high
#   remedy: Take the bit away (chmod a-s), remove the package, or name the path in the parameter setuid_allowed.
#   source: CIS Docker Benchmark 1.6, 4.8
#   effective: 2025-01-01
deny.setuid contains {"message": sprintf("%s is %s, owner %d, group %d", [path, kind, fact.uid, fact.gid]), "file": path} if {
	some path, fact in input.facts.files
	fact.type == "file"
	kind := special(fact)
	not allowed_setuid(path)
}

special(fact) := "setuid" if image.setuid(fact)

special(fact) := "setgid" if {
	not image.setuid(fact)
	image.setgid(fact)
}

# A distribution may keep a program in /bin or in /usr/bin; both are the same folder in most.
allowed_setuid(path) if trim_prefix(path, "/usr") in {trim_prefix(p, "/usr") | some p in data.base.setuid.paths}

allowed_setuid(path) if path in input.params.setuid_allowed

# METADATA
# title: Files with capabilities must be known ones
# custom:
#   severity: medium
#   remedy: Remove the capabilities (setcap -r), or the package.
#   source: https://man7.org/linux/man-pages/man7/capabilities.7.html
#   effective: 2025-01-01
deny.capabilities contains {"message": sprintf("%s carries Linux capabilities", [path]), "file": path} if {
	some path, fact in input.facts.files
	fact.capabilities
	not trim_prefix(path, "/usr") in {trim_prefix(p, "/usr") | some p in data.base.setuid.capabilities}
	not path in input.params.setuid_allowed
}

# METADATA
# title: Folders that everybody may write to must be sticky
# description: Without the sticky bit, any user may replace another user's files.
# custom:
#   severity: medium
#   remedy: Set the sticky bit (chmod +t) or take the right to write away (chmod o-w).
#   source: CIS Distribution Independent Linux Benchmark 2.0, 1.1.21
#   effective: 2025-01-01
deny.world_writable contains {"message": sprintf("everybody may replace files in %s (mode %s)", [path, fact.mode]), "file": path} if {
	some path, fact in input.facts.files
	fact.type == "dir"
	image.world_writable(fact)
	not image.sticky(fact)
	not path in input.params.world_writable_allowed
}

# METADATA
# title: Account files must be protected
# custom:
#   severity: critical
#   remedy: Set the modes that distributions ship, 0644 for passwd and group, 0640 for shadow and gshadow, 0440 for sudoers.
#   source: CIS Distribution Independent Linux Benchmark 2.0, 6.1.2 to 6.1.9
#   effective: 2025-01-01
deny.account_files contains {"message": sprintf("everybody may write to %s (mode %s)", [path, fact.mode]), "file": path} if {
	some path in {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/sudoers"}
	fact := image.file(path)
	image.world_writable(fact)
}

deny.account_files contains {"message": sprintf("everybody may read %s (mode %s)", [path, fact.mode]), "file": path} if {
	some path in {"/etc/shadow", "/etc/gshadow"}
	fact := image.file(path)
	not image.world_writable(fact)
	image.world_readable(fact)
}

# METADATA
# title: There must be no device nodes outside /dev
# description: >-
#   Runtimes put a fresh /dev over the image's own. A device node elsewhere stays, and gives a privileged container a way
#   to the host's disks and memory.
# custom:
#   severity: high
#   remedy: Remove the node; pass devices to the container when it starts.
#   source: https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config-linux.md#default-devices
#   effective: 2025-01-01
deny.devices contains {"message": sprintf("%s is a %s", [path, replace(fact.type, "-", " ")]), "file": path} if {
	some path, fact in input.facts.files
	fact.type in {"char-device", "block-device"}
	not startswith(path, "/dev/")
}

# METADATA
# title: The user must be able to use /tmp
# description: Shells, Java and Python all fail in ways hard to understand where /tmp cannot be written to.
# custom:
#   severity: medium
#   remedy: Give /tmp the mode 1777.
#   source: https://refspecs.linuxfoundation.org/FHS_3.0/fhs-3.0.html#tmpTemporaryFiles
#   effective: 2025-01-01
deny.tmp contains {"message": sprintf("/tmp has the mode %s: %s may not write there", [fact.mode, image.who]), "file": "/tmp"} if {
	fact := image.file("/tmp")
	not image.may(fact, 2)
}

# METADATA
# title: Package managers' caches must not be left behind
# description: What a package manager downloads and keeps is pulled by every consumer and used by none.
# custom:
#   severity: medium
#   remedy: Remove the cache in the step that fills it (rm -rf /var/lib/apt/lists/*, pip --no-cache-dir), or use a cache mount.
#   source: https://docs.docker.com/build/building/best-practices/#apt-get
#   effective: 2025-01-01
deny.caches contains finding if {
	total := sum([c.bytes | some c in input.facts.caches])
	total > input.params.cache_mib * 1048576
	some cache in input.facts.caches
	cache.bytes > 1048576
	finding := {
		"message": sprintf("%s left %d MiB in %s%s; all caches together have %d MiB, %d are allowed", [
			cache.manager, words.mib(cache.bytes), cache.path, afterthought(cache), words.mib(total), input.params.cache_mib,
		]),
		"file": cache.path,
		"layer": cache.layer,
	}
}

afterthought(cache) := ", deleted only in a later layer" if cache.deleted

afterthought(cache) := "" if not cache.deleted
