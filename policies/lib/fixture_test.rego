# METADATA
# title: Facts of an image that has nothing wrong with it, for packs' tests
# description: Tests take it as it is, or changed in one place.
package hallmark.testing

facts := {
	"version": 1,
	"digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111",
	"config": {
		"user": "app", "uid": 1000, "entrypoint": ["/app/run"], "cmd": [],
		"env": [{"name": "PATH", "value": "/usr/local/bin:/usr/bin:/bin", "secret_like": false}],
		"labels": {
			"org.opencontainers.image.title": "app",
			"org.opencontainers.image.source": "https://git.example.com/app",
			"org.opencontainers.image.revision": "0123456",
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
		"workdir": "/app", "exposed_ports": ["8080/tcp"], "volumes": [], "stop_signal": "",
	},
	"platform": {"os": "linux", "architecture": "amd64"},
	"os": {"id": "debian", "version_id": "13", "codename": "trixie", "pretty_name": "Debian GNU/Linux 13 (trixie)", "id_like": []},
	"packages": [],
	"commands": {},
	"path": ["/usr/local/bin", "/usr/bin", "/bin"],
	"java": [],
	"users": [
		{"name": "root", "uid": 0, "gid": 0, "home": "/root", "shell": "/bin/bash", "locked": true, "password": "locked"},
		{"name": "app", "uid": 1000, "gid": 1000, "home": "/app", "shell": "/usr/sbin/nologin", "locked": true, "password": "locked"},
	],
	"groups": [{"name": "root", "gid": 0, "members": []}, {"name": "app", "gid": 1000, "members": []}],
	"files": {
		"/etc/passwd": {"type": "file", "mode": "0644", "uid": 0, "gid": 0, "size": 900, "layer": 0},
		"/etc/shadow": {"type": "file", "mode": "0640", "uid": 0, "gid": 42, "size": 500, "layer": 0},
		"/tmp": {"type": "dir", "mode": "1777", "uid": 0, "gid": 0, "size": 0, "layer": 0},
	},
	"scripts": {},
	"pam": {},
	"layers": [{
		"index": 0, "diff_id": "sha256:2222222222222222222222222222222222222222222222222222222222222222",
		"digest": "sha256:3333333333333333333333333333333333333333333333333333333333333333",
		"size": 31457280, "created_by": "ADD rootfs.tar / # buildkit", "files": 9000, "bytes": 94371840,
	}],
	"history": [{"created_by": "ADD rootfs.tar / # buildkit", "layer": 0, "secret_like": false}],
	"size": {"compressed": 31457280, "uncompressed": 94371840},
	"caches": [],
}

build := {
	"known": true,
	"bases": [{
		"ref": "debian:13@sha256:4444444444444444444444444444444444444444444444444444444444444444",
		"digest": "sha256:4444444444444444444444444444444444444444444444444444444444444444", "pinned": true, "line": 1,
	}],
	"steps": [{"line": 1, "instruction": "FROM debian:13"}],
}

# image is a whole input for a pack: its defaults are the parameters.
image := {"facts": facts, "build": build, "params": data.defaults}

# facts_with(part) is the input with these facts in place of, or beside, its own; lists are replaced.
facts_with(part) := object.union(image, {"facts": part})

# config(part) is the input with these parts of the configuration.
config(part) := facts_with({"config": part})

# files(part) is the input with these files besides its own.
files(part) := facts_with({"files": part})

# file(mode) is a file of root's in the first layer; dir(mode) a folder.
file(mode) := {"type": "file", "mode": mode, "uid": 0, "gid": 0, "size": 10, "layer": 0}

dir(mode) := {"type": "dir", "mode": mode, "uid": 0, "gid": 0, "size": 0, "layer": 0}

# built(part) is the input with this knowledge of the build.
built(part) := object.union(image, {"build": part})

# params(given, part) is an input with these parameters.
params(given, part) := object.union(given, {"params": part})

# changed(patches) is the input with JSON patches applied.
changed(patches) := json.patch(image, patches)
