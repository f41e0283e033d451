package hallmark.base_test

import data.hallmark.base.deny
import data.hallmark.testing

test_user_denies_none if {
	deny.user == {"no USER is set: the image runs as root"} with input as testing.config({"user": ""})
}

test_user_denies_root_by_name_and_number if {
	deny.user == {"USER root is root"} with input as testing.config({"user": "root", "uid": 0})
	deny.user == {"USER 0:0 is root"} with input as testing.config({"user": "0:0"})
}

test_user_allows_others if {
	deny.user == set() with input as testing.image
	deny.user == set() with input as testing.config({"user": "185"})
}

test_user_allows_root_where_accepted if {
	deny.user == set() with input as testing.params(testing.config({"user": ""}), {"allow_root": true})
}

test_user_exists_denies_unknown_names if {
	deny.user_exists == {{"message": "USER spark has no line in /etc/passwd", "file": "/etc/passwd"}} with input as testing.config({"user": "spark:0"})
}

test_user_exists_allows_numbers_and_known_names if {
	deny.user_exists == set() with input as testing.config({"user": "4711"})
	deny.user_exists == set() with input as testing.config({"user": ""})
	deny.user_exists == set() with input as testing.image
}

user(name, uid) := {"name": name, "uid": uid, "gid": uid, "home": "/", "shell": "/bin/sh", "locked": true, "password": "locked"}

test_uid_zero_denies_a_second_root if {
	given := testing.facts_with({"users": [user("root", 0), user("toor", 0)]})
	deny.uid_zero == {{"message": "the user toor has the number 0 too", "file": "/etc/passwd"}} with input as given
}

test_uid_zero_allows_root if deny.uid_zero == set() with input as testing.image

test_users_unique_denies_shared_numbers_names_and_nobody if {
	given := testing.facts_with({"users": [user("root", 0), user("a", 5), user("b", 5), user("c", 6), user("c", 7), user("", 8)]})
	{finding.message | some finding in deny.users_unique} == {
		"the number 5 belongs to a, b",
		`the name "c" stands in /etc/passwd 2 times`,
		"the user with the number 8 has no name",
	} with input as given
}

test_users_unique_allows_distinct_ones if deny.users_unique == set() with input as testing.image
