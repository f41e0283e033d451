package hallmark.databricks_test

import data.hallmark.databricks.deny

test_architecture_denies_arm_and_windows if {
	deny.architecture == {"the image is for linux/arm64; the nodes are linux/amd64"} with input as facts({"platform": {"architecture": "arm64"}})
	count(deny.architecture) == 1 with input as facts({"platform": {"os": "windows"}})
}

test_architecture_allows_amd64 if deny.architecture == set() with input as good

test_os_denies_another_release if {
	some finding in deny.os with input as facts({"os": {"version_id": "22.04", "pretty_name": "Ubuntu 22.04.5 LTS"}})
	finding.message == "the image is Ubuntu 22.04.5 LTS; runtime 16.4 runs on Ubuntu 24.04"
	finding.remedy == `Write FROM ubuntu:24.04, or set the parameter distribution to "ubuntu:22.04" and prove it by a launch.`
}

test_os_denies_others_and_none if {
	some finding in deny.os with input as system("debian", "12")
	finding.message == "the image is debian 12; runtime 16.4 runs on Ubuntu 24.04"
	some unknown in deny.os with input as system("", "")
	unknown.remedy == "Write FROM ubuntu:24.04."
	unknown.message == "the image is of an unknown system (it has no os-release file); runtime 16.4 runs on Ubuntu 24.04"
	count(deny.os) == 1 with input as system("alpine", "3.8.5")
	count(deny.os) == 1 with input as asked({"distribution": "debian:11"}, system("debian", "12"))
}

test_os_allows_the_runtimes_own_and_what_is_explicit if {
	deny.os == set() with input as good
	deny.os == set() with input as asked({"runtime": "6.4"}, system("ubuntu", "18.04"))
	deny.os == set() with input as asked({"runtime": "7.3"}, system("alpine", "3.8.5"))
	deny.os == set() with input as asked({"distribution": "debian:12"}, system("debian", "12"))
	deny.os == set() with input as asked({"distribution": "debian"}, system("debian", "12"))
	deny.os == set() with input as asked({"distribution": "ubuntu:22.04"}, system("ubuntu", "22.04"))
}

test_os_untested_denies_what_is_explicit if {
	deny.os_untested == {"the image is debian 12, by the parameter distribution; Databricks documents Ubuntu 24.04 for runtime 16.4"} with input as asked({"distribution": "debian"}, system("debian", "12"))
}

test_os_untested_allows_the_runtimes_own if {
	deny.os_untested == set() with input as good
	deny.os_untested == set() with input as params({"distribution": "ubuntu"})
	deny.os_untested == set() with input as system("debian", "12")
}

test_os_legacy_denies_alpine_on_old_runtimes if {
	deny.os_legacy == {"the image is alpine 3.8.5: runtime 7.3 takes it, runtimes from 9.1 on do not"} with input as asked({"runtime": "7.3"}, system("alpine", "3.8.5"))
}

test_os_legacy_allows_ubuntu_and_leaves_new_runtimes_to_others if {
	deny.os_legacy == set() with input as good
	deny.os_legacy == set() with input as system("alpine", "3.8.5")
}

test_bash_denies_none if deny.bash == {"not on PATH: bash"} with input as without_command("bash")

test_bash_allows_it if deny.bash == set() with input as good

test_iproute2_denies_none if deny.iproute2 == {"not on PATH: ip"} with input as without_command("ip")

test_iproute2_allows_it if deny.iproute2 == set() with input as good

test_coreutils_denies_missing_ones if deny.coreutils == {"not on PATH: chown"} with input as without_command("chown")

test_coreutils_allows_all if deny.coreutils == set() with input as good

test_procps_denies_none if deny.procps == {"not on PATH: ps"} with input as without_command("ps")

test_procps_allows_it if deny.procps == set() with input as good

test_sudo_denies_none if deny.sudo == {"not on PATH: sudo"} with input as without_command("sudo")

test_sudo_allows_it if deny.sudo == set() with input as good

test_acl_denies_none if deny.acl == {"not on PATH: setfacl"} with input as without_command("setfacl")

test_acl_allows_it_and_older_runtimes if {
	deny.acl == set() with input as good
	deny.acl == set() with input as asked({"runtime": "12.2"}, without_command("setfacl"))
}

test_busybox_denies_its_tools if {
	deny.busybox == {"only busybox stands behind: ps"} with input as with_command("ps", "/bin/busybox")
}

test_busybox_allows_the_whole_ones if deny.busybox == set() with input as good

test_libraries_user_denies_none_and_open_ones if {
	some missing in deny.libraries_user with input as facts({"users": []})
	missing.message == "there is no user called libraries"
	some open in deny.libraries_user with input as facts({"users": [libraries("set")]})
	open.message == "the user libraries is not locked: a password opens it"
	count(deny.libraries_user) == 1 with input as facts({"users": [libraries("empty")]})
}

test_libraries_user_allows_locked_ones_and_older_runtimes if {
	deny.libraries_user == set() with input as good
	deny.libraries_user == set() with input as facts({"users": [libraries("none")]})
	deny.libraries_user == set() with input as asked({"runtime": "12.2"}, facts({"users": []}))
}

test_locale_denies_unset_and_others if {
	deny.locale == {"LC_ALL is not set"} with input as unset("LC_ALL")
	deny.locale == {"LANG is en_US.UTF-8"} with input as env("LANG", "en_US.UTF-8")
}

test_locale_allows_both_spellings_and_older_runtimes if {
	deny.locale == set() with input as good
	deny.locale == set() with input as env("LANG", "C.utf8")
	deny.locale == set() with input as asked({"runtime": "14.3"}, unset("LANG"))
}
