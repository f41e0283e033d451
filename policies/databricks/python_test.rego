package hallmark.databricks_test

import data.hallmark.databricks.deny
import data.hallmark.testing

# minimal brings no Python at all.
minimal := json.patch(unset("PYSPARK_PYTHON"), [{"op": "remove", "path": ["facts", "files", path]} |
	some path, _ in good.facts.files
	startswith(path, "/databricks")
])

test_python_denies_none if {
	deny.python == {"Python commands will fail: no /databricks/python3, no PYSPARK_PYTHON"} with input as minimal
}

test_python_denies_images_for_r if {
	made_for_r := object.union(unset("PYSPARK_PYTHON"), {"facts": {"files": rserve}})
	deny.python == {"Python commands will fail: PYSPARK_PYTHON is not set (this is taken for an image for R)"} with input as made_for_r
	deny.pyspark_python == set() with input as made_for_r
	count(deny.pyspark_python) == 1 with input as asked({"parts": ["python", "r"]}, made_for_r)
}

test_python_allows_it if {
	deny.python == set() with input as good
	named := object.union(minimal, {"facts": {"config": {"env": good.facts.config.env}}})
	deny.python == set() with input as named
	count(deny.python_venv) == 1 with input as named
}

test_python_venv_denies_none_and_broken_links if {
	some finding in deny.python_venv with input as asked({"parts": ["python"]}, minimal)
	finding.message == "there is no command /databricks/python3/bin/python3, or it leads nowhere"
	broken := json.patch(good, [{"op": "remove", "path": ["facts", "files", "/databricks/python3/bin/python3", "resolves_to"]}])
	count(deny.python_venv) == 1 with input as broken
}

test_python_venv_allows_it_and_images_without_python if {
	deny.python_venv == set() with input as good
	deny.python_venv == set() with input as minimal
	other := object.union(without_file("/databricks/python3/bin/python3"), {"facts": {"files": {"/databricks/python3/bin/python": testing.file("0755")}}})
	deny.python_venv == set() with input as other
	deny.python_venv == set() with input as asked({"runtime": "8.4", "parts": ["python"]}, minimal)
}

test_python_version_denies_another if {
	some finding in deny.python_version with input as runtime("15.4")
	finding.message == "/databricks/python3 has Python 3.12; runtime 15.4 runs Python 3.11"
	finding.remedy == "Add RUN virtualenv --python=python3.11 --system-site-packages /databricks/python3."
}

test_python_version_allows_the_runtimes_and_what_cannot_be_told if {
	deny.python_version == set() with input as good
	deny.python_version == set() with input as runtime("17.3")
	deny.python_version == set() with input as minimal
	deny.python_version == set() with input as runtime("8.4")
}

test_pyspark_python_denies_unset_elsewhere_and_missing if {
	deny.pyspark_python == {"PYSPARK_PYTHON is not set: Spark looks for a Python of its own"} with input as unset("PYSPARK_PYTHON")
	deny.pyspark_python == {"PYSPARK_PYTHON is /usr/bin/python3, which is not below /databricks/python3"} with input as env("PYSPARK_PYTHON", "/usr/bin/python3")
	deny.pyspark_python == {"PYSPARK_PYTHON is /databricks/python3/bin/python9, which is not in the image"} with input as env("PYSPARK_PYTHON", "/databricks/python3/bin/python9")
}

test_pyspark_python_allows_the_environment_and_old_layouts if {
	deny.pyspark_python == set() with input as good
	deny.pyspark_python == set() with input as minimal
	deny.pyspark_python == set() with input as asked({"runtime": "7.3"}, env("PYSPARK_PYTHON", "/databricks/conda/bin/python"))
}

test_python_lsp_denies_none if {
	some finding in deny.python_lsp with input as without_file("/databricks/python-lsp/bin/python3")
	finding.message == "there is no command /databricks/python-lsp/bin/python3, or it leads nowhere"
}

test_python_lsp_allows_it_and_older_runtimes if {
	deny.python_lsp == set() with input as good
	deny.python_lsp == set() with input as asked({"runtime": "11.3"}, without_file("/databricks/python-lsp/bin/python3"))
	other := object.union(without_file("/databricks/python-lsp/bin/python3"), {"facts": {"files": {"/databricks/python-lsp/bin/python": testing.file("0755")}}})
	deny.python_lsp == set() with input as other
	deny.python_lsp == set() with input as minimal
}

test_virtualenv_denies_none if {
	deny.virtualenv == {"virtualenv is neither on PATH nor in /databricks/python3"} with input as without_command("virtualenv")
}

test_virtualenv_allows_it_the_promise_and_older_runtimes if {
	deny.virtualenv == set() with input as good
	inside := object.union(without_command("virtualenv"), {"facts": {"files": {"/databricks/python3/bin/virtualenv": testing.file("0755")}}})
	deny.virtualenv == set() with input as inside
	deny.virtualenv == set() with input as asked({"driver_nfs": false}, without_command("virtualenv"))
	deny.virtualenv == set() with input as asked({"runtime": "10.4"}, without_command("virtualenv"))
}

test_driver_nfs_denies_without_virtualenv if {
	deny.driver_nfs == {"there is no virtualenv: the cluster works only with spark.databricks.driverNfs.enabled false"} with input as asked({"driver_nfs": false}, without_command("virtualenv"))
}

test_driver_nfs_allows_virtualenv if {
	deny.driver_nfs == set() with input as params({"driver_nfs": false})
	deny.driver_nfs == set() with input as good
}

test_python_packages_denies_missing_ones if {
	some finding in deny.python_packages with input as without_file("/databricks/python3/lib/python3.12/site-packages/pandas-1.5.3.dist-info")
	finding.message == "packages are missing: pandas"
	count(deny.python_packages) == 1 with input as without_file("/databricks/python3/lib/python3.12/site-packages/protobuf-4.24.1.dist-info")
}

test_python_packages_allows_them_and_images_without_python if {
	deny.python_packages == set() with input as asked({"runtime": "12.2"}, without_file("/databricks/python3/lib/python3.12/site-packages/protobuf-4.24.1.dist-info"))
	deny.python_packages == set() with input as good
	deny.python_packages == set() with input as minimal
}

test_conda_denies_it_where_python_is if {
	some old in deny.conda with input as facts({"files": {"/databricks/conda": testing.dir("0755")}})
	old.message == "/databricks/conda is in the image; from runtime 9.0 on conda is not supported, and this is 16.4"
	some led in deny.conda with input as object.union(env("PYSPARK_PYTHON", "/opt/conda/bin/python"), {"facts": {"files": {"/opt/conda/conda-meta/history": testing.file("0644")}}})
	led.message == "/opt/conda is an environment of conda's, which runtime 16.4 does not support"
	count(deny.conda) == 1 with input as object.union(unset("PYSPARK_PYTHON"), {"facts": {"files": {"/databricks/python3/conda-meta/history": testing.file("0644")}}})
}

test_conda_allows_it_beside_python_and_on_old_runtimes if {
	deny.conda == set() with input as good
	deny.conda == set() with input as facts({"files": {"/opt/conda/conda-meta/history": testing.file("0644")}})
	deny.conda == set() with input as asked({"runtime": "7.3"}, facts({"files": {"/databricks/conda": testing.dir("0755")}}))
}
