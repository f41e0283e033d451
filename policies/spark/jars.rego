package hallmark.spark

import data.hallmark.image
import data.hallmark.words

jars_folder := "/opt/spark/jars"

# jar_files are the files in /opt/spark/jars by their names.
jar_files[name] := fact if {
	some path, fact in input.facts.files
	startswith(path, sprintf("%s/", [jars_folder]))
	endswith(path, ".jar")
	name := image.base(path)
}

# jars are those whose names say artifact, version and, for some, a classifier: netty-…-4.1.96.Final-linux-x86_64.jar.
jars contains {"file": name, "artifact": parts[1], "version": parts[2], "classifier": parts[3]} if {
	some name, _ in jar_files
	some parts in regex.find_all_string_submatch_n(`^(.+)-([0-9][^-]*)((?:-[A-Za-z][^-]*)*)\.jar$`, name, 1)
}

# spark_jars are Spark's own modules, with the Scala version that they were built for.
spark_jars contains {"file": jar.file, "module": parts[1], "scala": parts[2], "version": jar.version} if {
	some jar in jars
	some parts in regex.find_all_string_submatch_n(`^(spark-[a-z-]+)_([0-9.]+)$`, jar.artifact, 1)
}

spark_versions contains jar.version if {
	some jar in spark_jars
	jar.module == "spark-core"
}

# METADATA
# title: Spark's modules must be there
# custom:
#   severity: critical
#   remedy: Copy the whole jars folder of one Spark distribution to /opt/spark/jars.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#docker-images
#   effective: 2025-01-01
deny.modules contains {"message": sprintf("no jar of these modules is in %s: %s", [jars_folder, words.few(missing)]), "file": jars_folder} if {
	missing := [module |
		some module in data.spark.modules.required
		not module in {jar.module | some jar in spark_jars}
	]
	count(missing) > 0
}

# METADATA
# title: Spark must be able to speak to Kubernetes
# custom:
#   severity: high
#   remedy: Add spark-kubernetes and its client's jars, which a distribution built with the kubernetes profile has.
#   source: https://spark.apache.org/docs/latest/building-spark.html#building-with-kubernetes-support
#   effective: 2025-01-01
deny.kubernetes_jar contains {"message": sprintf("no jar of spark-kubernetes is in %s", [jars_folder]), "file": jars_folder} if {
	count(jar_files) > 0
	not "spark-kubernetes" in {jar.module | some jar in spark_jars}
}

# METADATA
# title: There must be one Spark
# description: With two versions on one class path, which class is found depends on the order of a folder's listing.
# custom:
#   severity: high
#   remedy: Remove the jars of the other version.
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#docker-images
#   effective: 2025-01-01
deny.one_spark contains {"message": sprintf("jars of several Spark versions lie together: %s", [words.few(sample)]), "file": odd_one(by_spark)} if {
	count(by_spark) > 1
	sample := [sprintf("%s (%s)", [version, words.few(sort(files))]) | some version, files in by_spark]
}

by_spark[jar.version] contains jar.file if some jar in spark_jars

# odd_one(groups) is the path of a jar in the smallest group: likely the one that should not be there.
odd_one(groups) := sprintf("%s/%s", [jars_folder, min(groups[odd])]) if {
	least := min([count(files) | some files in groups])
	odd := min([version | some version, files in groups; count(files) == least])
}

# METADATA
# title: There must be one Scala
# description: Scala's minor versions do not fit together; a job fails with NoSuchMethodError when it first meets the other.
# custom:
#   severity: high
#   remedy: Remove the jars that were built for the other Scala, and add them built for the image's own.
#   source: https://docs.scala-lang.org/overviews/core/binary-compatibility-of-scala-releases.html
#   effective: 2025-01-01
deny.one_scala contains {"message": sprintf("jars for several Scala versions lie together: %s", [words.few(sample)]), "file": odd_one(by_scala)} if {
	count(by_scala) > 1
	sample := [sprintf("%s (%s)", [version, words.few(sort(files))]) | some version, files in by_scala]
}

by_scala[parts[1]] contains name if {
	some name, _ in jar_files
	some parts in regex.find_all_string_submatch_n(`_(2\.1[0-9]|3)-[0-9]`, name, 1)
}

# METADATA
# title: No jar may lie there in two versions
# custom:
#   severity: medium
#   remedy: Remove the version that is not meant.
#   source: https://spark.apache.org/docs/latest/configuration.html#runtime-environment
#   effective: 2025-01-01
deny.jar_versions contains {"message": sprintf("%s lies there in several versions: %s", [artifact, words.few(sort(versions))]), "file": jars_folder} if {
	some [artifact, classifier], versions in jar_versions
	count(versions) > 1
	classifier != "-tests"
}

jar_versions[[jar.artifact, jar.classifier]] contains jar.version if some jar in jars

# METADATA
# title: The user must be able to read every jar
# description: A jar copied with its owner's mode 0600 is not on the class path of any other user.
# custom:
#   severity: high
#   remedy: Make jars readable for everybody (chmod -R a+rX /opt/spark).
#   source: https://spark.apache.org/docs/latest/running-on-kubernetes.html#user-identity
#   effective: 2025-01-01
deny.jars_readable contains {"message": sprintf("%s cannot read %d jars: %s", [image.who, count(closed), words.few(closed)]), "file": sprintf("%s/%s", [jars_folder, closed[0]])} if {
	closed := sort([name |
		some name, fact in jar_files
		fact.type == "file"
		not image.may(fact, 4)
	])
	count(closed) > 0
}

deny.jars_readable contains {"message": sprintf("%s cannot enter %s (mode %s)", [image.who, folder, fact.mode]), "file": folder} if {
	some folder in ["/opt/spark", jars_folder]
	fact := image.file(folder)
	fact.type == "dir"
	not image.may(fact, 1)
}
