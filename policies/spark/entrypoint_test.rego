package hallmark.spark_test

import data.hallmark.spark.deny
import data.hallmark.testing

test_entrypoint_denies_none if {
	deny.entrypoint == {"ENTRYPOINT is not set; Spark's launcher needs /opt/entrypoint.sh there"} with input as config({"entrypoint": []})
}

test_entrypoint_denies_another if {
	deny.entrypoint == {`ENTRYPOINT is ["/bin/sh","-c","/opt/entrypoint.sh run"], not /opt/entrypoint.sh`} with input as config({"entrypoint": ["/bin/sh", "-c", "/opt/entrypoint.sh run"]})
}

test_entrypoint_allows_it_bare_and_under_tini if {
	deny.entrypoint == set() with input as good
	deny.entrypoint == set() with input as config({"entrypoint": ["/usr/bin/tini", "-s", "--", "/opt/entrypoint.sh"]})
}

test_entrypoint_runs_denies_missing_script if {
	deny.entrypoint_runs == {{"message": "/opt/entrypoint.sh is not in the image", "file": "/opt/entrypoint.sh"}} with input as without(["/opt/entrypoint.sh"])
}

test_entrypoint_runs_denies_broken_link if {
	link := {"type": "symlink", "target": "/gone.sh", "mode": "0777"}
	deny.entrypoint_runs == {{"message": "/opt/entrypoint.sh is a link to /gone.sh, which is not in the image", "file": "/opt/entrypoint.sh"}} with input as files({"/opt/entrypoint.sh": link})
}

test_entrypoint_runs_denies_mode_without_x if {
	deny.entrypoint_runs == {{"message": "user 185 cannot run /opt/entrypoint.sh (mode 0644)", "file": "/opt/entrypoint.sh"}} with input as files({"/opt/entrypoint.sh": testing.file("0644")})
	count(deny.entrypoint_runs) == 1 with input as object.union(config({"user": "0"}), {"facts": {"files": {"/opt/entrypoint.sh": testing.file("0644")}}})
}

test_entrypoint_runs_allows_0755 if deny.entrypoint_runs == set() with input as good

test_entrypoint_roles_denies_what_it_does_not_handle if {
	deny.entrypoint_roles == {{"message": `/opt/entrypoint.sh does not handle: executor, any other command ("$@")`, "file": "/opt/entrypoint.sh"}} with input as script("case $1 in\n driver) exec tini -- spark-submit ;;\nesac\n# executor) \"$@\"\n")
}

test_entrypoint_roles_allows_case_and_if if {
	deny.entrypoint_roles == set() with input as good
	deny.entrypoint_roles == set() with input as script("if [ \"$1\" = driver ]; then x\nelif [[ $1 == \"executor\" ]]; then y\nfi\nexec tini -- \"$@\"\n")
	deny.entrypoint_roles == set() with input as script("case $1 in\n driver | executor) x \"${@}\" ;;\nesac")
}

test_entrypoint_roles_allows_what_is_not_a_script if {
	deny.entrypoint_roles == set() with input as json.patch(good, [{"op": "remove", "path": "/facts/scripts/~1opt~1entrypoint.sh"}])
}

test_entrypoint_tini_denies_plain_exec_and_comments if {
	count(deny.entrypoint_tini) == 1 with input as script("exec \"$@\"\n# exec tini\n")
	count(deny.entrypoint_tini) == 1 with input as script("tini -- \"$@\"\n")
}

test_entrypoint_tini_allows_variables_and_tini_outside if {
	deny.entrypoint_tini == set() with input as good
	deny.entrypoint_tini == set() with input as script(`exec "$TINI" -s -- "$@"`)
	deny.entrypoint_tini == set() with input as object.union(script(`exec "$@"`), {"facts": {"config": {"entrypoint": ["/usr/bin/tini", "--", "/opt/entrypoint.sh"]}}})
}

no_tini := json.patch(no_command("tini"), [{"op": "remove", "path": "/facts/files/~1usr~1bin~1tini"}])

test_tini_denies_none if {
	deny.tini == {"tini is neither on PATH nor in /usr/bin/tini, /sbin/tini, /usr/sbin/tini, /bin/tini, /usr/local/bin/tini"} with input as no_tini
}

test_tini_denies_one_that_cannot_be_run if {
	some finding in deny.tini with input as object.union(no_tini, {"facts": {"files": {"/sbin/tini": testing.file("0644")}}})
	finding.message == "user 185 cannot run /sbin/tini (mode 0644)"
}

test_tini_allows_path_and_known_places if {
	deny.tini == set() with input as good
	deny.tini == set() with input as no_command("tini")
}

test_bash_denies_none if deny.bash == {"bash is not on PATH"} with input as no_command("bash")

test_bash_allows_one if deny.bash == set() with input as good

test_decom_denies_none if count(deny.decom) == 1 with input as without(["/opt/decom.sh"])

test_decom_allows_it_and_old_sparks if {
	deny.decom == set() with input as good
	old := object.union(without(["/opt/decom.sh", core]), {"facts": {"files": jar_files(["spark-core_2.12-3.0.3.jar"])}})
	deny.decom == set() with input as old
}
