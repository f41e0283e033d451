package hallmark.spark_test

import data.hallmark.testing

# The facts of an image that keeps Spark's contract, with few of the jars.
good := testing.facts_with({
	"config": {
		"user": "185", "uid": 185, "entrypoint": ["/opt/entrypoint.sh"], "workdir": "/opt/spark/work-dir",
		"env": [
			{"name": "PATH", "value": "/usr/bin:/bin", "secret_like": false},
			{"name": "JAVA_HOME", "value": "/usr/lib/jvm/java-17", "secret_like": false},
			{"name": "SPARK_HOME", "value": "/opt/spark", "secret_like": false},
		],
	},
	"commands": {name: command(name) | some name in ["bash", "tini", "java", "python3", "ps", "kinit", "netstat"]},
	"java": [java17],
	"users": [{"name": "root", "uid": 0, "gid": 0, "home": "/root", "shell": "/bin/sh", "locked": true, "password": "locked"}],
	"packages": [package_named(name) | some name in ["libc6", "libnss3", "libpam-modules"]],
	"files": object.union_n([jar_files(jar_names), {
		"/opt/entrypoint.sh": testing.file("0755"),
		"/opt/decom.sh": testing.file("0755"),
		"/opt/spark": testing.dir("0755"),
		"/opt/spark/bin": testing.dir("0755"),
		"/opt/spark/bin/pyspark": testing.file("0755"),
		"/opt/spark/bin/spark-class": testing.file("0755"),
		"/opt/spark/bin/spark-submit": testing.file("0755"),
		"/opt/spark/examples/jars/spark-examples_2.12-3.5.7.jar": testing.file("0644"),
		"/opt/spark/jars": testing.dir("0755"),
		"/opt/spark/sbin": testing.dir("0755"),
		"/opt/spark/work-dir": testing.dir("0775"),
		"/usr/bin/tini": testing.file("0755"),
		"/etc/passwd": testing.file("0664"),
	}]),
	"scripts": {"/opt/entrypoint.sh": entrypoint},
	"pam": {"su": ["auth sufficient pam_rootok.so", "auth required pam_wheel.so use_uid"]},
})

entrypoint := `#!/usr/bin/env bash
set -eu
case "${1:-}" in
  driver)
    shift
    set -- "$SPARK_HOME/bin/spark-submit" --deploy-mode client "$@"
    ;;
  executor)
    shift
    set -- "${JAVA_HOME}/bin/java" -cp "$SPARK_HOME/jars/*" org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend "$@"
    ;;
esac
exec /usr/bin/tini -s -- "$@"
`

java17 := {"home": "/usr/lib/jvm/java-17", "version": "17.0.12", "vendor": "Debian", "on_path": true, "layer": 0}

command(name) := {"path": sprintf("/usr/bin/%s", [name]), "target": sprintf("/usr/bin/%s", [name]), "mode": "0755", "uid": 0, "layer": 0}

package_named(name) := {"name": name, "version": "1", "manager": "dpkg", "arch": "amd64", "layer": 0}

module_names := ["catalyst", "core", "kubernetes", "kvstore", "launcher", "network-common", "network-shuffle", "sql", "tags", "unsafe"]

jar_names := array.concat(
	[sprintf("spark-%s_2.12-3.5.7.jar", [name]) | some name in module_names],
	[
		"hive-shims-0.23-2.3.9.jar", "hive-shims-2.3.9.jar", "jackson-core-2.15.2.jar", "jackson-core-asl-1.9.13.jar",
		"netty-transport-native-epoll-4.1.96.Final-linux-aarch_64.jar", "netty-transport-native-epoll-4.1.96.Final-linux-x86_64.jar",
		"scala-library-2.12.18.jar", "arpack_combined_all-0.1.jar", "json4s-core_2.12-3.7.0-M11.jar",
	],
)

jar_files(names) := {sprintf("/opt/spark/jars/%s", [name]): testing.file("0644") | some name in names}

# facts(part) is the good input with these facts besides its own; lists are replaced.
facts(part) := object.union(good, {"facts": part})

files(part) := facts({"files": part})

config(part) := facts({"config": part})

# without(paths) is the good input without these files.
without(paths) := json.patch(good, [{"op": "remove", "path": ["facts", "files", path]} | some path in paths])

# unset(name) is the good input without an environment variable; env(name, value) with one.
unset(name) := config({"env": [e | some e in good.facts.config.env; e.name != name]})

env(name, value) := config({"env": array.concat(
	[e | some e in good.facts.config.env; e.name != name],
	[{"name": name, "value": value, "secret_like": false}],
)})

no_command(name) := json.patch(good, [{"op": "remove", "path": ["facts", "commands", name]}])

script(text) := facts({"scripts": {"/opt/entrypoint.sh": text}})
