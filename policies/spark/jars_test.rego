package hallmark.spark_test

import data.hallmark.spark.deny
import data.hallmark.testing

test_modules_denies_missing_ones if {
	given := without([core, "/opt/spark/jars/spark-tags_2.12-3.5.7.jar"])
	deny.modules == {{"message": "no jar of these modules is in /opt/spark/jars: spark-core, spark-tags", "file": "/opt/spark/jars"}} with input as given
}

test_modules_allows_all_there if deny.modules == set() with input as good

test_kubernetes_jar_denies_none if {
	count(deny.kubernetes_jar) == 1 with input as without(["/opt/spark/jars/spark-kubernetes_2.12-3.5.7.jar"])
}

test_kubernetes_jar_allows_one if deny.kubernetes_jar == set() with input as good

test_one_spark_denies_two if {
	some finding in deny.one_spark with input as files(jar_files(["spark-core_2.12-3.5.1.jar"]))
	startswith(finding.message, "jars of several Spark versions lie together: 3.5.1 (spark-core_2.12-3.5.1.jar), 3.5.7 (spark-catalyst")
	finding.file == "/opt/spark/jars/spark-core_2.12-3.5.1.jar"
}

test_one_spark_allows_one if deny.one_spark == set() with input as good

test_one_scala_denies_two if {
	some finding in deny.one_scala with input as files(jar_files(["delta-spark_2.13-3.2.0.jar"]))
	contains(finding.message, "2.13 (delta-spark_2.13-3.2.0.jar)")
	finding.file == "/opt/spark/jars/delta-spark_2.13-3.2.0.jar"
}

test_one_scala_allows_one if deny.one_scala == set() with input as good

test_jar_versions_denies_two_of_one_artifact if {
	deny.jar_versions == {{"message": "jackson-core lies there in several versions: 2.15.2, 2.17.0", "file": "/opt/spark/jars"}} with input as files(jar_files(["jackson-core-2.17.0.jar"]))
}

test_jar_versions_allows_classifiers_and_names_alike if deny.jar_versions == set() with input as good

test_jars_readable_denies_closed_jars if {
	some finding in deny.jars_readable with input as files({core: testing.file("0600")})
	finding == {"message": "user 185 cannot read 1 jars: spark-core_2.12-3.5.7.jar", "file": core}
}

test_jars_readable_denies_closed_folders if {
	deny.jars_readable == {{"message": "user 185 cannot enter /opt/spark/jars (mode 0700)", "file": "/opt/spark/jars"}} with input as files({"/opt/spark/jars": testing.dir("0700")})
}

test_jars_readable_allows_open_ones if deny.jars_readable == set() with input as good
