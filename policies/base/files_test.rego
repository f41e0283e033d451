package hallmark.base_test

import data.hallmark.base.deny
import data.hallmark.testing

test_setuid_denies_unknown_programs if {
	given := testing.files({"/opt/tool": testing.file("4755"), "/opt/group": testing.file("2755")})
	{finding.message | some finding in deny.setuid} == {
		"/opt/tool is setuid, owner 0, group 0",
		"/opt/group is setgid, owner 0, group 0",
	} with input as given
}

test_setuid_allows_the_distributions_own_and_named_ones if {
	given := testing.files({"/usr/bin/su": testing.file("4755"), "/bin/passwd": testing.file("4755"), "/opt/tool": testing.file("6755")})
	deny.setuid == set() with input as testing.params(given, {"setuid_allowed": ["/opt/tool"]})
}

test_setuid_allows_setgid_folders if deny.setuid == set() with input as testing.files({"/var/mail": testing.dir("2775")})

test_capabilities_denies_unknown_programs if {
	given := testing.files({"/opt/tool": object.union(testing.file("0755"), {"capabilities": true})})
	deny.capabilities == {{"message": "/opt/tool carries Linux capabilities", "file": "/opt/tool"}} with input as given
}

test_capabilities_allows_ping_and_named_ones if {
	capable := object.union(testing.file("0755"), {"capabilities": true})
	given := testing.files({"/bin/ping": capable, "/opt/tool": capable})
	deny.capabilities == set() with input as testing.params(given, {"setuid_allowed": ["/opt/tool"]})
}

test_world_writable_denies_folders_without_sticky_bit if {
	given := testing.files({"/data": testing.dir("0777")})
	deny.world_writable == {{"message": "everybody may replace files in /data (mode 0777)", "file": "/data"}} with input as given
}

test_world_writable_allows_sticky_and_named_ones if {
	given := testing.files({"/spool": testing.dir("1777"), "/data": testing.dir("0777"), "/etc": testing.dir("0755")})
	deny.world_writable == set() with input as testing.params(given, {"world_writable_allowed": ["/data"]})
}

test_account_files_denies_writing_and_reading if {
	given := testing.files({"/etc/passwd": testing.file("0666"), "/etc/shadow": testing.file("0644"), "/etc/gshadow": testing.file("0666")})
	{finding.message | some finding in deny.account_files} == {
		"everybody may write to /etc/passwd (mode 0666)",
		"everybody may read /etc/shadow (mode 0644)",
		"everybody may write to /etc/gshadow (mode 0666)",
	} with input as given
}

test_account_files_allows_group_writing if {
	deny.account_files == set() with input as testing.files({"/etc/passwd": testing.file("0664")})
}

test_devices_denies_nodes_outside_dev if {
	given := testing.files({"/opt/disk": object.union(testing.file("0660"), {"type": "block-device"})})
	deny.devices == {{"message": "/opt/disk is a block device", "file": "/opt/disk"}} with input as given
}

test_devices_allows_those_in_dev if {
	deny.devices == set() with input as testing.files({"/dev/null": object.union(testing.file("0666"), {"type": "char-device"})})
}

test_tmp_denies_a_closed_one if {
	deny.tmp == {{"message": "/tmp has the mode 0755: user 1000 may not write there", "file": "/tmp"}} with input as testing.files({"/tmp": testing.dir("0755")})
}

test_tmp_allows_the_usual_one if deny.tmp == set() with input as testing.image

cache(bytes, deleted) := {"manager": "apt", "path": "/var/lib/apt/lists", "bytes": bytes, "files": 9, "layer": 0, "deleted": deleted}

test_caches_denies_large_ones if {
	given := testing.facts_with({"caches": [cache(20971520, false)]})
	{finding.message | some finding in deny.caches} == {"apt left 20 MiB in /var/lib/apt/lists; all caches together have 20 MiB, 16 are allowed"} with input as given
}

test_caches_denies_those_deleted_too_late if {
	some finding in deny.caches with input as testing.facts_with({"caches": [cache(20971520, true)]})
	contains(finding.message, "deleted only in a later layer")
}

test_caches_allows_small_ones if deny.caches == set() with input as testing.facts_with({"caches": [cache(1000, false)]})
