package hallmark.databricks_test

import data.hallmark.databricks
import data.hallmark.databricks.deny

# brought(name, version) has a Java without a release file, which a package brought.
brought(name, version) := facts({"java": [java("")], "packages": [package_of("libc6", "2.39"), package_of(name, version)]})

java8(version) := asked({"runtime": "14.3"}, facts({"java": [java(version)]}))

test_java_denies_none if {
	deny.java == {"no java is on PATH (/usr/local/bin:/usr/bin:/bin)"} with input as json.patch(without_command("java"), [{"op": "replace", "path": "/facts/java", "value": []}])
	deny.java == {"no java is on PATH (/usr/local/bin:/usr/bin:/bin); there is one in /usr/lib/jvm/java"} with input as without_command("java")
}

test_java_allows_it if deny.java == set() with input as good

test_java_version_denies_others if {
	some finding in deny.java_version with input as facts({"java": [java("1.8.0_392")]})
	finding.message == "java on PATH is Java 8; runtime 16.4 starts on Java 17"
	finding.file == "/usr/bin/java"
	some older in deny.java_version with input as runtime("14.3")
	older.message == "java on PATH is Java 17; runtime 14.3 starts on Java 8"
	some told in deny.java_version with input as params({"java": 8})
	told.message == "java on PATH is Java 17; runtime 16.4 starts on Java 8 by the parameter java"
	count(deny.java_version) == 1 with input as brought("openjdk-11-jre-headless", "11.0.24")
}

test_java_version_allows_the_jre_in_a_jdk if {
	within := facts({
		"java": [{"home": "/usr/lib/jvm/zulu8", "version": "1.8.0_432", "vendor": "", "on_path": false, "layer": 0}],
		"commands": {"java": command("java", "/usr/lib/jvm/zulu8/jre/bin/java")},
	})
	databricks.major == 8 with input as within
	deny.java_version == set() with input as asked({"runtime": "14.3"}, within)
}

test_java_version_allows_the_runtimes_and_the_one_asked_for if {
	deny.java_version == set() with input as good
	deny.java_version == set() with input as runtime("17.3")
	deny.java_version == set() with input as java8("1.8.0_191")
	deny.java_version == set() with input as asked({"java": 8}, facts({"java": [java("1.8.0_392")]}))
	deny.java_version == set() with input as brought("zulu17-ca-jre", "17.0.13-1")
}

test_java_update_denies_old_builds if {
	some finding in deny.java_update with input as java8("1.8.0_181")
	finding.message == "java on PATH is 8u181; 8u191 is the oldest that works"
	every version in ["8u181-b13-1~deb9u1", "8u181-b13", "8.181.13-r0", "8.0.181-1"] {
		count(deny.java_update) == 1 with input as brought("openjdk-8-jre-headless", version)
	}
	count(deny.java_update) == 1 with input as brought("openjdk8-jre", "8.181.13-r0")
}

test_java_update_allows_later_ones_and_other_versions if {
	deny.java_update == set() with input as good
	deny.java_update == set() with input as java8("1.8.0_191")
	deny.java_update == set() with input as java8("1.8.0")
	deny.java_update == set() with input as brought("zulu8-ca-jre", "8.0.432-1")
}

test_java_known_denies_what_nothing_tells if {
	some finding in deny.java_known with input as facts({"java": [java("")]})
	finding.message == "the version of the java on PATH cannot be told"
	two := [package_of("openjdk-8-jre", "8u392"), package_of("openjdk-17-jre", "17.0.9")]
	count(deny.java_known) == 1 with input as facts({"java": [java("")], "packages": two})
}

test_java_known_allows_release_files_and_packages if {
	deny.java_known == set() with input as good
	deny.java_known == set() with input as brought("openjdk-17-jre-headless", "17.0.9+9-1~22.04")
	deny.java_known == set() with input as without_command("java")
	databricks.major == 8 with input as brought("java-1.8.0-amazon-corretto-jdk", "1:8.432.06-1")
}
