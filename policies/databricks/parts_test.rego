package hallmark.databricks_test

import data.hallmark.databricks.deny
import data.hallmark.testing

rserve := {"/usr/local/lib/R/site-library/Rserve": testing.dir("0755")}

hwriter := {"/usr/lib/R/library/hwriterPlus": testing.dir("0755")}

test_r_denies_what_is_missing if {
	deny.r == {"the image is to run R, and lacks: R, Rserve, hwriterPlus"} with input as params({"parts": ["r"]})
	deny.r == {"the image is to run R, and lacks: hwriterPlus"} with input as object.union(with_command("R", "/usr/lib/R/bin/R"), {"facts": {"files": rserve}})
}

test_r_allows_all_parts_and_images_without_r if {
	deny.r == set() with input as good
	deny.r == set() with input as with_command("R", "/usr/lib/R/bin/R")
	deny.r == set() with input as object.union(with_command("R", "/usr/lib/R/bin/R"), {"facts": {"files": object.union(rserve, hwriter)}})
}

test_ssh_denies_none if {
	deny.ssh == {"the image is to take SSH, and has no sshd"} with input as params({"parts": ["ssh"]})
}

test_ssh_allows_it_and_images_without_ssh if {
	deny.ssh == set() with input as good
	deny.ssh == set() with input as asked({"parts": ["ssh"]}, with_command("sshd", "/usr/sbin/sshd"))
	deny.ssh == set() with input as asked({"parts": ["ssh"]}, facts({"files": {"/usr/sbin/sshd": testing.file("0755")}}))
}

test_ssh_start_denies_a_server_that_nobody_starts if {
	served := with_command("sshd", "/usr/sbin/sshd")
	count(deny.ssh_start) == 2 with input as served
	someone := {"name": "ubuntu", "uid": 1000, "gid": 1000, "home": "/home/ubuntu", "shell": "/bin/bash", "locked": true, "password": "locked"}
	deny.ssh_start == {"sshd is in the image: an init script must start it"} with input as object.union(served, {"facts": {"users": [someone]}})
}

test_ssh_start_allows_images_without_ssh if deny.ssh_start == set() with input as good

test_fuse_denies_none if {
	deny.fuse == {"the image is to mount DBFS, and fusermount is not on PATH"} with input as params({"parts": ["fuse"]})
}

test_fuse_allows_it if {
	deny.fuse == set() with input as good
	deny.fuse == set() with input as asked({"parts": ["fuse"]}, with_command("fusermount3", "/usr/bin/fusermount3"))
}

test_fuse_user_denies_unset_and_others if {
	deny.fuse_user == {"the image has FUSE, and the variable USER is not set"} with input as with_command("fusermount", "/usr/bin/fusermount")
	deny.fuse_user == {"the image has FUSE, and the variable USER is app"} with input as asked({"parts": ["fuse"]}, env("USER", "app"))
}

test_fuse_user_allows_root_and_images_without_fuse if {
	deny.fuse_user == set() with input as good
	deny.fuse_user == set() with input as asked({"parts": ["fuse"]}, env("USER", "root"))
}
