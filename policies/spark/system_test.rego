package hallmark.spark_test

import data.hallmark.spark.deny

test_packages_denies_missing_ones if {
	deny.packages == {"packages are missing: libnss3, libpam-modules"} with input as facts({"packages": [package_named("libc6")]})
	deny.packages == {"packages are missing: libc6-compat, nss"} with input as facts({"os": {"id": "alpine"}, "packages": [package_named("linux-pam")]})
	deny.packages == {"packages are missing: libc6, libnss3"} with input as facts({"os": {"id": "ubuntu", "id_like": ["debian"]}, "packages": [package_named("libpam-modules")]})
}

test_packages_allows_all_there_and_unknown_systems if {
	deny.packages == set() with input as good
	deny.packages == set() with input as facts({"os": {"id": "fedora"}, "packages": [package_named("x")]})
	deny.packages == set() with input as facts({"packages": []})
}

test_tools_denies_missing_ones if deny.tools == {"commands are missing: ps (procps)"} with input as no_command("ps")

test_tools_allows_all_there if deny.tools == set() with input as good

test_python_denies_none if count(deny.python) == 1 with input as no_command("python3")

test_python_allows_it_and_another_one_named if {
	deny.python == set() with input as good
	given := object.union(no_command("python3"), {"facts": {"config": env("PYSPARK_PYTHON", "/opt/venv/bin/python").facts.config}})
	deny.python == set() with input as given
}

test_pyspark_python_denies_unknown_commands if {
	deny.pyspark_python == {"PYSPARK_PYTHON is python3.9, which is not on PATH"} with input as env("PYSPARK_PYTHON", "python3.9")
}

test_pyspark_python_allows_known_ones_and_paths if {
	deny.pyspark_python == set() with input as env("PYSPARK_PYTHON", "python3")
	deny.pyspark_python == set() with input as env("PYSPARK_PYTHON", "/opt/venv/bin/python")
	deny.pyspark_python == set() with input as good
}

test_su_denies_every_user if {
	finding := {"message": "/etc/pam.d/su lets every user try to become root", "file": "/etc/pam.d/su"}
	deny.su == {finding} with input as facts({"pam": {"su": ["auth sufficient pam_rootok.so"]}})
	deny.su == {finding} with input as facts({"pam": {"su": ["auth sufficient pam_wheel.so trust"]}})
}

test_su_allows_wheel_and_no_su if {
	deny.su == set() with input as good
	deny.su == set() with input as object.union(good, {"facts": {"pam": {"su": ["auth requisite /lib/security/pam_wheel.so"]}}})
	deny.su == set() with input as json.remove(good, ["facts/pam/su"])
}
