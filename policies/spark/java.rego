package hallmark.spark

import data.hallmark.image

# METADATA
# title: The image must have a Java runtime
# custom:
#   severity: critical
#   remedy: Install a Java runtime, such as openjdk-17-jre-headless.
#   source: https://spark.apache.org/docs/latest/#downloading
#   effective: 2025-01-01
deny.java contains "no Java runtime is in the image" if count(input.facts.java) == 0

deny.java contains sprintf("Java is in %s, but neither on PATH nor named by JAVA_HOME", [home]) if {
	not runtime
	not image.env("JAVA_HOME")
	some java in input.facts.java
	home := java.home
}

# METADATA
# title: JAVA_HOME must name a Java home
# description: The entry point starts executors with ${JAVA_HOME}/bin/java.
# custom:
#   severity: medium
#   remedy: Set ENV JAVA_HOME to the folder that holds bin/java.
#   source: https://github.com/apache/spark/blob/v3.5.7/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/entrypoint.sh
#   effective: 2025-01-01
deny.java_home contains sprintf("JAVA_HOME is not set; Java is in %s", [runtime.home]) if {
	not image.env("JAVA_HOME")
}

deny.java_home contains sprintf("JAVA_HOME is %s, where there is no Java; it is in %s", [home, concat(", ", homes)]) if {
	home := image.env("JAVA_HOME")
	not java_at(home)
	homes := sort([java.home | some java in input.facts.java])
	count(homes) > 0
}

# METADATA
# title: Java must have an accepted version
# custom:
#   severity: high
#   remedy: Install an accepted Java and let JAVA_HOME and PATH lead to it, or name another version in the parameter java.
#   source: https://spark.apache.org/docs/latest/#downloading
#   effective: 2025-01-01
deny.java_version contains finding if {
	not major(runtime) in input.params.java
	finding := {
		"message": sprintf("Java %s in %s; accepted: %s", [runtime.version, runtime.home, numbers(input.params.java)]),
		"file": runtime.home,
		"layer": runtime.layer,
	}
}

# METADATA
# title: Spark must support the image's Java
# custom:
#   severity: high
#   remedy: Install a Java that this Spark supports.
#   source: https://spark.apache.org/docs/latest/#downloading
#   effective: 2025-01-01
deny.java_supported contains finding if {
	some spark_version in spark_versions
	some known in data.spark.java.spark
	startswith(spark_version, sprintf("%s.", [known.version]))
	not major(runtime) in known.java
	finding := {
		"message": sprintf("Spark %s does not support Java %s; it runs on %s", [spark_version, runtime.version, numbers(known.java)]),
		"file": runtime.home,
		"layer": runtime.layer,
	}
}

# METADATA
# title: PATH and JAVA_HOME must lead to the same Java
# description: Spark's scripts take JAVA_HOME; people and probes take what is on PATH.
# custom:
#   severity: low
#   remedy: Let the command java on PATH be that of JAVA_HOME.
#   source: https://github.com/apache/spark/blob/v3.5.7/bin/spark-class
#   effective: 2025-01-01
deny.java_one contains sprintf("JAVA_HOME has Java %s, PATH leads to Java %s in %s", [runtime.version, other.version, other.home]) if {
	some other in input.facts.java
	other.on_path
	other.home != runtime.home
	major(other) != major(runtime)
}

# runtime is the Java that Spark's scripts start: JAVA_HOME's, else the one on PATH.
runtime := java_at(image.env("JAVA_HOME"))

runtime := [java | some java in input.facts.java; java.on_path][0] if not image.env("JAVA_HOME")

java_at(path) := java if {
	some java in input.facts.java
	same_home(java.home, leads_to(trim_suffix(path, "/")))
}

leads_to(path) := object.get(input.facts.files, [path, "resolves_to"], path)

same_home(home, path) if home == path

# A JDK 8 has its runtime in jre/ below it: both count as its home.
same_home(home, path) if home == sprintf("%s/jre", [path])

# major(java) is 8 for 1.8.0_191 and 17 for 17.0.12; -1 where the version is not known.
major(java) := to_number(found[0][1]) if {
	found := regex.find_all_string_submatch_n(`^(?:1\.)?([0-9]{1,4})`, java.version, 1)
	count(found) == 1
} else := -1

numbers(list) := concat(" or ", [sprintf("%d", [n]) | some n in list])
