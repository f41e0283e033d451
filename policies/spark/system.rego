package hallmark.spark

import data.hallmark.image
import data.hallmark.words

# METADATA
# title: What Spark's own image installs should be there
# description: NSS and PAM let Hadoop and Java look up users; on Alpine, Spark's native libraries need glibc's names.
# custom:
#   severity: low
#   remedy: Install the packages.
#   source: https://github.com/apache/spark/blob/v3.5.7/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/Dockerfile
#   effective: 2025-01-01
deny.packages contains sprintf("packages are missing: %s", [concat(", ", missing)]) if {
	count(input.facts.packages) > 0
	wanted := data.spark.packages.families[family]
	missing := [choice[0] |
		some choice in wanted
		every name in choice { not name in installed }
	]
	count(missing) > 0
}

installed := {p.name | some p in input.facts.packages}

family := "debian" if {
	some id in array.concat([input.facts.os.id], input.facts.os.id_like)
	id == "debian"
}

family := "alpine" if input.facts.os.id == "alpine"

# METADATA
# title: Spark's tools should find their commands
# description: The scripts in sbin look for their daemons with ps; Kerberos and network troubles are looked into with the others.
# custom:
#   severity: low
#   remedy: Install procps, krb5-user and net-tools, or what your distribution calls them.
#   source: https://github.com/apache/spark-docker
#   effective: 2025-01-01
deny.tools contains sprintf("commands are missing: %s", [words.few(missing)]) if {
	missing := [sprintf("%s (%s)", [tool.command, tool.package]) |
		some tool in data.spark.packages.tools
		not input.facts.commands[tool.command]
	]
	count(missing) > 0
}

# METADATA
# title: Python should be there
# custom:
#   severity: low
#   remedy: Install python3, if the image is to run Python jobs.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#python
#   effective: 2025-01-01
deny.python contains {"message": "bin/pyspark is in the image, but python3 is not on PATH: Python jobs cannot run", "file": "/opt/spark/bin/pyspark"} if {
	image.file("/opt/spark/bin/pyspark")
	not input.facts.commands.python3
	not image.env("PYSPARK_PYTHON")
}

# METADATA
# title: PYSPARK_PYTHON must name a command
# custom:
#   severity: medium
#   remedy: Install that Python, or correct PYSPARK_PYTHON.
#   source: https://spark.apache.org/docs/latest/configuration.html#environment-variables
#   effective: 2025-01-01
deny.pyspark_python contains sprintf("%s is %s, which is not on PATH", [name, value]) if {
	some name in ["PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"]
	value := image.env(name)
	value != ""
	not contains(value, "/")
	not input.facts.commands[value]
}

# METADATA
# title: Becoming root with su is for members of wheel
# description: Spark's own image lets nobody else try, whatever root's password is.
# custom:
#   severity: low
#   remedy: Add the line "auth required pam_wheel.so use_uid" to /etc/pam.d/su.
#   source: https://github.com/apache/spark/blob/v3.5.7/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/Dockerfile
#   effective: 2025-01-01
deny.su contains {"message": "/etc/pam.d/su lets every user try to become root", "file": "/etc/pam.d/su"} if {
	rules := input.facts.pam.su
	not asks_for_wheel(rules)
}

asks_for_wheel(rules) if {
	some rule in rules
	regex.match(`^auth\s+(required|requisite)\s+(\S*/)?pam_wheel\.so(\s|$)`, rule)
}
