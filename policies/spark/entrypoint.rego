package hallmark.spark

import data.hallmark.image
import data.hallmark.words

script := "/opt/entrypoint.sh"

# METADATA
# title: The entry point must be Spark's
# description: Kubernetes starts the image with the arguments driver or executor; the entry point knows what they mean.
# custom:
#   severity: high
#   remedy: 'Set ENTRYPOINT ["/opt/entrypoint.sh"], in brackets.'
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#docker-images
#   effective: 2025-01-01
deny.entrypoint contains "ENTRYPOINT is not set; Spark's launcher needs /opt/entrypoint.sh there" if {
	count(input.facts.config.entrypoint) == 0
}

deny.entrypoint contains sprintf("ENTRYPOINT is %s, not %s", [json.marshal(input.facts.config.entrypoint), script]) if {
	count(input.facts.config.entrypoint) > 0
	not script in input.facts.config.entrypoint
}

# METADATA
# title: The user must be able to run the entry point
# custom:
#   severity: high
#   remedy: Copy the script to /opt/entrypoint.sh with the mode 0755.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#docker-images
#   effective: 2025-01-01
deny.entrypoint_runs contains {"message": sprintf("%s is not in the image", [script]), "file": script} if {
	not input.facts.files[script]
}

deny.entrypoint_runs contains {"message": sprintf("%s is a link to %s, which is not in the image", [script, fact.target]), "file": script} if {
	fact := input.facts.files[script]
	fact.type == "symlink"
	not fact.resolves_to
}

deny.entrypoint_runs contains {"message": sprintf("%s cannot run %s (mode %s)", [image.who, script, fact.mode]), "file": script} if {
	fact := image.file(script)
	not runnable(fact)
}

# Root may do everything but run a file that nobody may run. A script must also be read by its interpreter.
runnable(fact) if {
	image.may(fact, 1)
	image.may(fact, 4)
	regex.match(`[1357]`, substring(fact.mode, count(fact.mode) - 3, 3))
}

# METADATA
# title: The entry point must know driver, executor and everything else
# custom:
#   severity: high
#   remedy: 'Let the script distinguish driver) and executor) and pass any other command through ("$@").'
#   source: https://github.com/apache/spark/blob/v3.5.7/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/entrypoint.sh
#   effective: 2025-01-01
deny.entrypoint_roles contains {"message": sprintf("%s does not handle: %s", [script, concat(", ", missing)]), "file": script} if {
	text := input.facts.scripts[script]
	missing := [role.name |
		some role in data.spark.roles.roles
		not regex.match(role.pattern, text)
	]
	count(missing) > 0
}

# METADATA
# title: The entry point must hand over to tini
# description: >-
#   As process 1, Java neither reaps the processes that Spark's scripts leave behind nor gets a signal's default action;
#   pods then take their whole grace period to end.
# custom:
#   severity: high
#   remedy: 'End the script with exec tini -s -- "${CMD[@]}".'
#   source: https://github.com/krallin/tini
#   effective: 2025-01-01
deny.entrypoint_tini contains {"message": sprintf("%s does not exec what it starts under tini", [script]), "file": script} if {
	text := input.facts.scripts[script]
	not regex.match(`(?im)^[^#\n]*\bexec\b[^#\n]*tini`, text)
	not starts_with_tini
}

starts_with_tini if image.base(input.facts.config.entrypoint[0]) == "tini"

# METADATA
# title: The image must have tini
# custom:
#   severity: high
#   remedy: Install the package tini.
#   source: https://github.com/apache/spark/blob/v3.5.7/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/Dockerfile
#   effective: 2025-01-01
deny.tini contains sprintf("tini is neither on PATH nor in %s", [words.few(tini_places)]) if {
	not input.facts.commands.tini
	every path in tini_places { not image.file(path) }
}

deny.tini contains {"message": sprintf("%s cannot run %s (mode %s)", [image.who, path, fact.mode]), "file": path} if {
	not input.facts.commands.tini
	some path in tini_places
	fact := image.file(path)
	not runnable(fact)
}

tini_places := ["/usr/bin/tini", "/sbin/tini", "/usr/sbin/tini", "/bin/tini", "/usr/local/bin/tini"]

# METADATA
# title: The image must have bash
# description: The entry point and all of Spark's scripts are written for bash.
# custom:
#   severity: high
#   remedy: Install the package bash.
#   source: https://github.com/apache/spark/blob/v3.5.7/bin/spark-class
#   effective: 2025-01-01
deny.bash contains "bash is not on PATH" if not input.facts.commands.bash

# METADATA
# title: Decommissioning needs its script
# description: With spark.decommission.enabled, Kubernetes runs /opt/decom.sh before it stops an executor.
# custom:
#   severity: low
#   remedy: Copy Spark's decom.sh to /opt/decom.sh.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#spark-properties
#   effective: 2025-01-01
deny.decom contains "/opt/decom.sh is not in the image: executors cannot be decommissioned gracefully" if {
	not input.facts.files["/opt/decom.sh"]
	some version in spark_versions
	not regex.match(`^(2\.|3\.0\.)`, version)
}
