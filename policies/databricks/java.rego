package hallmark.databricks

# METADATA
# title: The command java must be on PATH
# custom:
#   severity: critical
#   remedy: Add RUN apt-get update && apt-get install -y openjdk-17-jdk-headless (openjdk-8-jdk-headless before runtime 16.4).
#   source: https://docs.databricks.com/aws/en/compute/custom-containers
#   effective: 2025-01-01
deny.java contains sprintf("no java is on PATH (%s)%s", [concat(":", input.facts.path), elsewhere]) if {
	not input.facts.commands.java
}

elsewhere := sprintf("; there is one in %s", [input.facts.java[0].home]) if count(input.facts.java) > 0

elsewhere := "" if count(input.facts.java) == 0

# METADATA
# title: Java must have the runtime's version
# custom:
#   severity: high
#   remedy: Install the runtime's Java and let PATH lead to it, or name another one that the runtime takes in the parameter java.
#   source: https://github.com/databricks/containers/blob/master/ubuntu/minimal/Dockerfile
#   effective: 2025-01-01
deny.java_version contains finding if {
	major != wanted_java
	finding := {
		"message": sprintf("java on PATH is Java %d; runtime %s starts on Java %d%s", [major, number, wanted_java, told]),
		"remedy": sprintf("Add RUN apt-get update && apt-get install -y openjdk-%d-jdk-headless, and let update-alternatives take it.", [wanted_java]),
		"file": input.facts.commands.java.target,
	}
}

told := "" if input.params.java == 0

told := " by the parameter java" if input.params.java != 0

wanted_java := data.databricks.java.java[runtime.name].default if input.params.java == 0

wanted_java := input.params.java if input.params.java != 0

# METADATA
# title: Java 8 must be 8u191 or later
# custom:
#   severity: high
#   remedy: Install a newer build of Java 8, such as the package openjdk-8-jdk-headless of today.
#   source: https://learn.microsoft.com/azure/databricks/clusters/custom-containers
#   effective: 2025-01-01
deny.java_update contains {"message": sprintf("java on PATH is 8u%d; 8u%d is the oldest that works", [java_update, oldest]), "file": input.facts.commands.java.target} if {
	major == 8
	oldest := data.databricks.java.oldest_update
	java_update < oldest
}

# METADATA
# title: The version of Java should be known
# description: A Java without a release file, which no package brought, may be any; only a launch will tell.
# custom:
#   severity: low
#   remedy: Install Java from a package, or keep the file release beside its bin folder.
#   source: https://openjdk.org/jeps/223
#   effective: 2025-01-01
deny.java_known contains {"message": "the version of the java on PATH cannot be told", "file": input.facts.commands.java.target} if {
	input.facts.commands.java
	not major
}

# java_text is what the Java on PATH says of its version. The command may be that of the jre folder in a JDK 8, which has
# no release file of its own.
java_text := [java.version | some java in input.facts.java; leads_to(java); java.version != ""][0]

leads_to(java) if java.on_path

leads_to(java) if startswith(input.facts.commands.java.target, sprintf("%s/", [java.home]))

# packaged are the packages that may have brought it, where it says nothing itself.
packaged := [p |
	not java_text
	some p in input.facts.packages
	regex.match(`^(openjdk-?|zulu|temurin-|msopenjdk-|java-)[0-9]+(\.|-|$)`, p.name)
]

# The major version is 8 for 1.8.0_191, 17 for 17.0.12; a package has it in its name.
major := to_number(regex.find_all_string_submatch_n(`^(?:1\.)?([0-9]{1,3})`, java_text, 1)[0][1])

major := to_number(found) if {
	majors := {m | some p in packaged; m := regex.find_all_string_submatch_n(`^[a-z]+-?(?:1\.)?([0-9]{1,3})`, p.name, 1)[0][1]}
	count(majors) == 1
	some found in majors
}

java_update := to_number(regex.find_all_string_submatch_n(`^1\.8\.0_([0-9]{1,5})`, java_text, 1)[0][1])

# 8u191-b12 in Ubuntu, 8.191.12 in Alpine, 8.0.432 from Azul.
java_update := min({n |
	some p in packaged
	n := to_number(regex.find_all_string_submatch_n(`^(?:[0-9]+:)?(?:8u|8\.0\.|8\.)([0-9]{1,5})`, p.version, 1)[0][1])
}) if count(packaged) > 0
