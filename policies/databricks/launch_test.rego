package hallmark.databricks_test

import data.hallmark.databricks.deny

test_entrypoint_denies_one if {
	deny.entrypoint == {`the platform ignores ENTRYPOINT ["/init"]`} with input as facts({"config": {"entrypoint": ["/init"]}})
}

test_entrypoint_allows_none if deny.entrypoint == set() with input as good

test_cmd_denies_one if deny.cmd == {`the platform ignores CMD ["/bin/bash"]`} with input as facts({"config": {"cmd": ["/bin/bash"]}})

test_cmd_allows_none if deny.cmd == set() with input as good

test_size_denies_large_images if {
	large := facts({"size": {"uncompressed": 7000000000}})
	some finding in deny.size with input as large
	finding.message == "the image has 7000 MB, its largest layer 94 MB; from 7000 MB on nodes have been seen to give up"
	finding.layer == 0
}

test_size_allows_smaller_ones_and_a_higher_bar if {
	deny.size == set() with input as good
	deny.size == set() with input as asked({"size_mb": 9000}, facts({"size": {"uncompressed": 8000000000}}))
}
