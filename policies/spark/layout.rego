package hallmark.spark

import data.hallmark.image

home := "/opt/spark"

# METADATA
# title: SPARK_HOME must be /opt/spark
# custom:
#   severity: medium
#   remedy: Set ENV SPARK_HOME=/opt/spark.
#   source: https://github.com/apache/spark/blob/v3.5.7/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/Dockerfile
#   effective: 2025-01-01
deny.spark_home contains sprintf("SPARK_HOME is not set; it must be %s", [home]) if not image.env("SPARK_HOME")

deny.spark_home contains sprintf("SPARK_HOME is %q, not %s", [value, home]) if {
	value := image.env("SPARK_HOME")
	trim_suffix(value, "/") != home
}

# METADATA
# title: The distribution's folders must be there
# custom:
#   severity: high
#   remedy: Copy bin, sbin and jars of one Spark distribution to /opt/spark.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#docker-images
#   effective: 2025-01-01
deny.folders contains {"message": sprintf("not in the image: %s", [concat(", ", missing)]), "file": home} if {
	missing := [path |
		some name in ["bin", "jars", "sbin"]
		path := sprintf("%s/%s", [home, name])
		not folder_at(path)
	]
	count(missing) > 0
}

folder_at(path) if image.file(path).type == "dir"

# A folder that no layer names exists where files below it do.
folder_at(path) if {
	some other, _ in input.facts.files
	startswith(other, sprintf("%s/", [path]))
}

# METADATA
# title: The user must be able to run Spark's commands
# custom:
#   severity: high
#   remedy: Copy bin of the distribution with its modes (0755).
#   source: https://spark.apache.org/docs/latest/submitting-applications.html
#   effective: 2025-01-01
deny.commands contains {"message": sprintf("%s is not in the image", [path]), "file": path} if {
	some name in ["spark-class", "spark-submit"]
	path := sprintf("%s/bin/%s", [home, name])
	not image.file(path)
}

deny.commands contains {"message": sprintf("%s cannot run %s (mode %s)", [image.who, path, fact.mode]), "file": path} if {
	some name in ["spark-class", "spark-submit"]
	path := sprintf("%s/bin/%s", [home, name])
	fact := image.file(path)
	not runnable(fact)
}

# METADATA
# title: The image must run as Spark's user
# description: Volumes, secrets and security contexts in the field are set up for this number.
# custom:
#   severity: medium
#   remedy: End the Dockerfile with USER 185, or name another number in the parameter uid.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#user-identity
#   effective: 2025-01-01
deny.uid contains sprintf("USER is %q, number %v; it must be %d", [input.facts.config.user, image.uid, input.params.uid]) if {
	input.params.uid >= 0
	image.uid != input.params.uid
}

deny.uid contains sprintf("USER is %q, whose number is not known; it must be %d", [input.facts.config.user, input.params.uid]) if {
	input.params.uid >= 0
	not image.known_number
}

# METADATA
# title: The user must be able to write to the work folder
# description: >-
#   Drivers and executors write there what jobs bring along. Kubernetes may run the image under any number, in group 0, so the
#   group must have the right too.
# custom:
#   severity: high
#   remedy: Make the folder with mkdir -p /opt/spark/work-dir && chgrp 0 /opt/spark/work-dir && chmod g+w /opt/spark/work-dir.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#user-identity
#   effective: 2025-01-01
deny.work_dir contains {"message": sprintf("%s is not in the image", [work_dir]), "file": work_dir} if not image.file(work_dir)

deny.work_dir contains {"message": sprintf("%s is not a folder", [work_dir]), "file": work_dir} if {
	image.file(work_dir).type != "dir"
}

deny.work_dir contains {"message": sprintf("the group may not write to %s (mode %s, owner %d, group %d)", [work_dir, fact.mode, fact.uid, fact.gid]), "file": work_dir} if {
	fact := image.file(work_dir)
	fact.type == "dir"
	not image.group_writable(fact)
}

deny.work_dir contains {"message": sprintf("%s may not write to %s (mode %s, owner %d, group %d)", [image.who, work_dir, fact.mode, fact.uid, fact.gid]), "file": work_dir} if {
	fact := image.file(work_dir)
	fact.type == "dir"
	image.group_writable(fact)
	not image.may(fact, 2)
}

work_dir := "/opt/spark/work-dir"

# METADATA
# title: Containers should start in the work folder
# custom:
#   severity: low
#   remedy: Set WORKDIR /opt/spark/work-dir.
#   source: https://github.com/apache/spark/blob/v3.5.7/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/Dockerfile
#   effective: 2025-01-01
deny.workdir contains sprintf("WORKDIR is %q, not %s", [input.facts.config.workdir, work_dir]) if {
	trim_suffix(input.facts.config.workdir, "/") != work_dir
}

# METADATA
# title: The entry point must be able to name its user
# description: >-
#   Hadoop asks for the user's name. For a number without one the entry point adds a line to /etc/passwd, which it can only
#   where the group may write to that file.
# custom:
#   severity: medium
#   remedy: Run chgrp root /etc/passwd && chmod g+w /etc/passwd, or give the user a line in /etc/passwd.
#   source: https://github.com/apache/spark/blob/v3.5.7/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/entrypoint.sh
#   effective: 2025-01-01
deny.passwd contains {"message": sprintf("%s has no name, and may not add one to /etc/passwd (mode %s, group %d)", [image.who, fact.mode, fact.gid]), "file": "/etc/passwd"} if {
	not image.known_user
	fact := image.file("/etc/passwd")
	not image.may(fact, 2)
}

# METADATA
# title: SparkPi should be there
# description: The first thing that everybody runs to see whether a cluster works.
# custom:
#   severity: low
#   remedy: Copy examples of the distribution to /opt/spark/examples.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#cluster-mode
#   effective: 2025-01-01
deny.examples contains {"message": sprintf("no spark-examples jar is in %s/examples/jars", [home]), "file": sprintf("%s/examples", [home])} if {
	every path, _ in input.facts.files { not regex.match(`^/opt/spark/(examples/)?jars/spark-examples_`, path) }
}
