package hallmark.databricks_test

import data.hallmark.databricks
import data.hallmark.databricks.deny
import data.hallmark.databricks.refuse

refused(given) := concat("|", sort(said)) if {
	said := refuse with input as {"params": object.union(good.params, given)}
}

test_good_images_break_no_rule if {
	{name | some name, found in deny; count(found) > 0} == set() with input as good
}

test_runtimes_are_known_however_they_are_spelt if {
	every spelled in ["16.4", "16.4.x", "16.4.x-scala2.12", "16.4.x-scala2.13", "16.4 LTS", "16.4-LTS", " 16.4.X-photon-scala2.12", "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)"] {
		databricks.runtime.name == "16.4" with input as runtime(spelled)
		refused({"runtime": spelled}) == ""
	}
	databricks.runtime.name == "7.x" with input as runtime("7.3.x-scala2.12")
	databricks.runtime.name == "6.x" with input as runtime("6.x")
	every row in data.databricks.runtimes.runtimes { refused({"runtime": row.name}) == "" }
}

test_since_counts_runtimes_not_digits if {
	databricks.since("venv") with input as runtime("10.4")
	databricks.since("venv") with input as runtime("9.1")
	not databricks.since("venv") with input as runtime("8.4")
	not databricks.since("locale") with input as runtime("9.1")
}

test_every_runtime_has_its_facts if {
	every row in data.databricks.runtimes.runtimes {
		count(data.databricks.systems.systems[row.name].ubuntu) > 0
		data.databricks.java.java[row.name].default > 0
	}
	count(data.databricks.python.python) == count(data.databricks.runtimes.runtimes) - 3
	every _, what in data.databricks.since.since { databricks.position(what.runtime) > 0 }
	every p in data.databricks.python.packages { databricks.position(p.since) > 0 }
}

test_refuse_runtimes_for_machine_learning if {
	every spelled in ["16.4.x-cpu-ml-scala2.12", "16.4.x-gpu-ml-scala2.12", "16.4 ML", "13.3 LTS for Machine Learning", "5.5-ml"] {
		contains(refused({"runtime": spelled}), "one for machine learning, and those do not take containers")
	}
}

test_refuse_runtimes_for_genomics if {
	every spelled in ["7.3.x-hls-scala2.12", "6.4 genomics"] { contains(refused({"runtime": spelled}), "one for genomics") }
}

test_refuse_runtimes_for_arm if contains(refused({"runtime": "16.4.x-aarch64-scala2.12"}), "is for ARM processors")

test_refuse_runtimes_before_containers if {
	every spelled in ["5.5", "5.5.x-scala2.11", "6.0", "4.x", "0.1"] { contains(refused({"runtime": spelled}), "is too old: containers are taken from 6.1 on. Known are 6.x, 7.x") }
}

test_refuse_unknown_runtimes if {
	refused({"runtime": "16.3"}) == `the runtime "16.3" is not known. Did you mean 16.4? Known are 6.x, 7.x, 8.x, 9.1, 10.4, 11.3, 12.2, 13.3, 14.3, 15.4, 16.4, 17.3`
	refused({"runtime": "164"}) == `the runtime "164" is not known. Known are 6.x, 7.x, 8.x, 9.1, 10.4, 11.3, 12.2, 13.3, 14.3, 15.4, 16.4, 17.3`
	every spelled in ["", "latest", "16", "16.4.1", "16.40", "99.9", "16.4garbage", "16.4.xx", "apache-spark-2.4.x-scala2.11", "x.4"] {
		contains(refused({"runtime": spelled}), "is not known")
	}
}

test_refuse_unknown_parts if {
	refused({"parts": ["python", "ganglia"]}) == `the part "ganglia" is not known. Known are fuse, python, r, ssh`
	refused({"parts": ["python", "r", "ssh", "fuse"]}) == ""
}

test_refuse_a_java_that_the_runtime_does_not_take if {
	refused({"java": 11}) == "the runtime 16.4 does not run on Java 11. It runs on 17 or 8"
	refused({"runtime": "17.3", "java": 8}) == "the runtime 17.3 does not run on Java 8. It runs on 17"
	refused({"java": 8}) == ""
	refused({"runtime": "15.4", "java": 17}) == ""
}

test_refuse_a_distribution_that_is_none if {
	contains(refused({"distribution": "Debian 12"}), "is not written like debian or debian:12")
	refused({"distribution": "debian:12"}) == ""
}
