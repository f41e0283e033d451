package hallmark.spark_test

import data.hallmark.spark.deny
import data.hallmark.testing

test_spark_home_denies_unset_and_elsewhere if {
	deny.spark_home == {"SPARK_HOME is not set; it must be /opt/spark"} with input as unset("SPARK_HOME")
	deny.spark_home == {`SPARK_HOME is "/usr/spark", not /opt/spark`} with input as env("SPARK_HOME", "/usr/spark")
}

test_spark_home_allows_it if deny.spark_home == set() with input as env("SPARK_HOME", "/opt/spark/")

test_folders_denies_missing_ones if {
	deny.folders == {{"message": "not in the image: /opt/spark/sbin", "file": "/opt/spark"}} with input as without(["/opt/spark/sbin"])
}

test_folders_allows_those_that_only_files_name if deny.folders == set() with input as without(["/opt/spark/jars", "/opt/spark/bin"])

test_commands_denies_missing_and_closed_ones if {
	given := object.union(without(["/opt/spark/bin/spark-class"]), {"facts": {"files": {"/opt/spark/bin/spark-submit": testing.file("0644")}}})
	{finding.message | some finding in deny.commands} == {
		"/opt/spark/bin/spark-class is not in the image",
		"user 185 cannot run /opt/spark/bin/spark-submit (mode 0644)",
	} with input as given
}

test_commands_allows_both if deny.commands == set() with input as good

test_uid_denies_root_and_others if {
	deny.uid == {`USER is "", number 0; it must be 185`} with input as config({"user": ""})
	deny.uid == {`USER is "1000", number 1000; it must be 185`} with input as config({"user": "1000"})
}

test_uid_denies_names_without_number if {
	given := json.patch(config({"user": "spark"}), [{"op": "remove", "path": "/facts/config/uid"}])
	deny.uid == {`USER is "spark", whose number is not known; it must be 185`} with input as given
	closed := object.union(given, {"facts": {"files": {"/opt/spark/bin/spark-submit": testing.file("0700")}}})
	{finding.message | some finding in deny.commands} == {`user "spark" cannot run /opt/spark/bin/spark-submit (mode 0700)`} with input as closed
}

test_uid_allows_it_by_name_and_any_where_accepted if {
	deny.uid == set() with input as config({"user": "spark", "uid": 185})
	deny.uid == set() with input as object.union(config({"user": "7"}), {"params": {"uid": -1}})
}

work_dir(fact) := files({"/opt/spark/work-dir": fact})

test_work_dir_denies_missing_file_and_modes if {
	{finding.message | some finding in deny.work_dir} == {"/opt/spark/work-dir is not in the image"} with input as without(["/opt/spark/work-dir"])
	{finding.message | some finding in deny.work_dir} == {"/opt/spark/work-dir is not a folder"} with input as work_dir(testing.file("0664"))
	{finding.message | some finding in deny.work_dir} == {"the group may not write to /opt/spark/work-dir (mode 0755, owner 0, group 0)"} with input as work_dir(testing.dir("0755"))
	foreign := object.union(testing.dir("0775"), {"gid": 50})
	{finding.message | some finding in deny.work_dir} == {"user 185 may not write to /opt/spark/work-dir (mode 0775, owner 0, group 50)"} with input as work_dir(foreign)
}

test_work_dir_allows_group_writable if deny.work_dir == set() with input as good

test_workdir_denies_elsewhere if deny.workdir == {`WORKDIR is "/", not /opt/spark/work-dir`} with input as config({"workdir": "/"})

test_workdir_allows_it if deny.workdir == set() with input as good

test_passwd_denies_a_nameless_user_that_cannot_add_itself if {
	deny.passwd == {{"message": "user 185 has no name, and may not add one to /etc/passwd (mode 0644, group 0)", "file": "/etc/passwd"}} with input as files({"/etc/passwd": testing.file("0644")})
}

test_passwd_allows_group_writable_and_named_users if {
	deny.passwd == set() with input as good
	named := [{"name": "spark", "uid": 185, "gid": 0, "home": "/", "shell": "/bin/sh", "locked": true, "password": "locked"}]
	deny.passwd == set() with input as facts({"users": named, "files": {"/etc/passwd": testing.file("0644")}})
}

test_examples_denies_none if count(deny.examples) == 1 with input as without(["/opt/spark/examples/jars/spark-examples_2.12-3.5.7.jar"])

test_examples_allows_it_in_both_folders if {
	deny.examples == set() with input as good
	moved := object.union(without(["/opt/spark/examples/jars/spark-examples_2.12-3.5.7.jar"]), {"facts": {"files": jar_files(["spark-examples_2.12-3.5.7.jar"])}})
	deny.examples == set() with input as moved
}

test_nothing_is_wrong_with_the_fixture if {
	found := {name | some name, findings in deny; count(findings) > 0} with input as good
	found == set()
}
