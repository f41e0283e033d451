package hallmark.databricks_test

import data.hallmark.testing

# The facts of an image for runtime 16.4 with Python, as Databricks would build it.
good := testing.facts_with({
	"config": {
		"user": "", "uid": 0, "entrypoint": [], "cmd": [], "workdir": "",
		"env": [variable(name, value) |
			some name, value in {
				"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
				"PYSPARK_PYTHON": "/databricks/python3/bin/python3",
			}
		],
	},
	"os": {"id": "ubuntu", "version_id": "24.04", "codename": "noble", "pretty_name": "Ubuntu 24.04.3 LTS", "id_like": ["debian"]},
	"commands": {name: command(name, sprintf("/usr/bin/%s", [name])) |
		some name in [
			"bash", "ip", "cat", "chmod", "chown", "cp", "ls", "mkdir", "mv", "rm", "ps", "sudo", "setfacl", "virtualenv", "java",
		]
	},
	"java": [java("17.0.13")],
	"users": [
		{"name": "root", "uid": 0, "gid": 0, "home": "/root", "shell": "/bin/bash", "locked": true, "password": "locked"},
		libraries("locked"),
	],
	"files": object.union_n([
		{
			"/databricks": testing.dir("0755"),
			"/databricks/python3": testing.dir("0755"),
			"/databricks/python3/lib/python3.12": testing.dir("0755"),
			"/databricks/python3/bin/python3": link("/usr/bin/python3.12"),
			"/databricks/python-lsp/bin/python3": link("/usr/bin/python3.12"),
		},
		{path: testing.dir("0755") |
			some name in [
				"ipykernel-6.28.0", "ipython-8.25.0", "numpy-1.26.4", "pandas-1.5.3", "pyarrow-15.0.2",
				"protobuf-4.24.1", "grpcio-1.60.0", "grpcio_status-1.60.0", "databricks_sdk-0.30.0",
			]
			path := sprintf("/databricks/python3/lib/python3.12/site-packages/%s.dist-info", [name])
		},
		{"/usr/lib/python3/dist-packages/Six-1.16.0.egg-info": testing.file("0644")},
	]),
})

variable(name, value) := {"name": name, "value": value, "secret_like": false}

command(name, target) := {"path": sprintf("/usr/bin/%s", [name]), "target": target, "mode": "0755", "uid": 0, "layer": 0}

java(version) := {"home": "/usr/lib/jvm/java", "version": version, "vendor": "", "on_path": true, "layer": 0}

link(target) := {"type": "symlink", "mode": "0777", "uid": 0, "gid": 0, "size": 0, "target": target, "resolves_to": target, "layer": 0}

libraries(password) := {"name": "libraries", "uid": 1001, "gid": 1001, "home": "/home/libraries", "shell": "/bin/sh", "locked": password == "locked", "password": password}

package_of(name, version) := {"name": name, "version": version, "manager": "dpkg", "arch": "amd64", "layer": 0}

# facts(part) is the good input with these facts besides its own; lists are replaced.
facts(part) := object.union(good, {"facts": part})

# params(part) is the good input with these parameters; asked(part, given) some input with them.
params(part) := asked(part, good)

asked(part, given) := object.union(given, {"params": part})

runtime(version) := params({"runtime": version})

without_file(path) := json.patch(good, [{"op": "remove", "path": ["facts", "files", path]}])

without_command(name) := json.patch(good, [{"op": "remove", "path": ["facts", "commands", name]}])

with_command(name, target) := facts({"commands": {name: command(name, target)}})

unset(name) := facts({"config": {"env": [e | some e in good.facts.config.env; e.name != name]}})

env(name, value) := facts({"config": {"env": array.concat([e | some e in good.facts.config.env; e.name != name], [variable(name, value)])}})

system(id, version) := facts({"os": {"id": id, "version_id": version, "pretty_name": ""}})
