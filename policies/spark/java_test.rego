package hallmark.spark_test

import data.hallmark.spark.deny

java(home, version) := {"home": home, "version": version, "vendor": "", "on_path": false, "layer": 0}

test_java_denies_none if deny.java == {"no Java runtime is in the image"} with input as facts({"java": []})

test_java_denies_one_that_nothing_leads_to if {
	given := object.union(unset("JAVA_HOME"), {"facts": {"java": [java("/opt/jdk", "17.0.1")]}})
	deny.java == {"Java is in /opt/jdk, but neither on PATH nor named by JAVA_HOME"} with input as given
}

test_java_allows_the_one_on_path if deny.java == set() with input as unset("JAVA_HOME")

test_java_home_denies_unset_and_wrong if {
	deny.java_home == {"JAVA_HOME is not set; Java is in /usr/lib/jvm/java-17"} with input as unset("JAVA_HOME")
	deny.java_home == {"JAVA_HOME is /opt/jdk, where there is no Java; it is in /usr/lib/jvm/java-17"} with input as env("JAVA_HOME", "/opt/jdk")
}

test_java_home_allows_links_slashes_and_jre if {
	link := {"type": "symlink", "mode": "0777", "uid": 0, "gid": 0, "size": 0, "target": "java-17", "resolves_to": "/usr/lib/jvm/java-17", "layer": 0}
	deny.java_home == set() with input as object.union(env("JAVA_HOME", "/usr/lib/jvm/default"), {"facts": {"files": {"/usr/lib/jvm/default": link}}})
	deny.java_home == set() with input as env("JAVA_HOME", "/usr/lib/jvm/java-17/")
	deny.java_home == set() with input as object.union(env("JAVA_HOME", "/usr/lib/jvm/java-8"), {"facts": {"java": [java("/usr/lib/jvm/java-8/jre", "1.8.0_392")]}})
}

test_java_version_denies_others_and_unknown_ones if {
	deny.java_version == {{"message": "Java 11.0.22 in /usr/lib/jvm/java-17; accepted: 17 or 21", "file": "/usr/lib/jvm/java-17", "layer": 0}} with input as object.union(facts({"java": [java("/usr/lib/jvm/java-17", "11.0.22")]}), {"params": {"java": [17, 21]}})
	count(deny.java_version) == 1 with input as facts({"java": [java("/usr/lib/jvm/java-17", "")]})
}

test_java_version_allows_old_and_new_spelling if {
	deny.java_version == set() with input as object.union(facts({"java": [java("/usr/lib/jvm/java-17", "1.8.0_392")]}), {"params": {"java": [8]}})
	deny.java_version == set() with input as good
}

test_java_version_allows_what_is_on_path_without_java_home if deny.java_version == set() with input as unset("JAVA_HOME")

test_java_supported_denies_what_spark_does_not_run_on if {
	some finding in deny.java_supported with input as facts({"java": [java("/usr/lib/jvm/java-17", "21.0.2")]})
	finding.message == "Spark 3.5.7 does not support Java 21.0.2; it runs on 8 or 11 or 17"
}

test_java_supported_allows_its_own_and_unknown_sparks if {
	deny.java_supported == set() with input as good
	deny.java_supported == set() with input as object.union(without([core]), {"facts": {"files": jar_files(["spark-core_2.13-9.9.9.jar"])}})
}

core := "/opt/spark/jars/spark-core_2.12-3.5.7.jar"

test_java_one_denies_two_that_differ if {
	other := object.union(java("/opt/jdk-21", "21.0.2"), {"on_path": true})
	deny.java_one == {"JAVA_HOME has Java 17.0.12, PATH leads to Java 21.0.2 in /opt/jdk-21"} with input as facts({"java": [object.union(java17, {"on_path": false}), other]})
}

test_java_one_allows_one if deny.java_one == set() with input as good
