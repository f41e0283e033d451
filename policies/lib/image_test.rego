package hallmark.image_test

import data.hallmark.image
import data.hallmark.testing
import data.hallmark.words

test_env_takes_the_variable if image.env("PATH") == "/usr/local/bin:/usr/bin:/bin" with input as testing.image

test_env_is_undefined_where_unset if not image.env("HOME") with input as testing.image

test_file_follows_links if {
	given := testing.files({
		"/a": {"type": "symlink", "mode": "0777", "uid": 0, "gid": 0, "size": 0, "target": "b", "resolves_to": "/b", "layer": 0},
		"/b": testing.file("0644"),
		"/c": {"type": "symlink", "mode": "0777", "uid": 0, "gid": 0, "size": 0, "target": "gone", "layer": 0},
	})
	image.file("/a").mode == "0644" with input as given
	image.file("/b").mode == "0644" with input as given
	not image.file("/c") with input as given
}

test_base_is_the_last_element if {
	image.base("/a/b.jar") == "b.jar"
	image.base("b") == "b"
}

test_modes_are_read_by_digit if {
	image.setuid({"mode": "4755"})
	image.setgid({"mode": "2755"})
	image.sticky({"mode": "1777"})
	image.group_writable({"mode": "0775"})
	image.world_writable({"mode": "0757"})
	image.world_readable({"mode": "0644"})
	not image.setuid({"mode": "2755"})
	not image.group_writable({"mode": "0755"})
}

test_a_strange_mode_has_no_digits if not image.group_writable({"mode": "rwxrwxrwx"})

test_uid_of_names_numbers_and_nobody if {
	image.uid == 1000 with input as testing.image
	image.uid == 0 with input as testing.config({"user": ""})
	image.uid == 0 with input as testing.config({"user": "00"})
	image.uid == 185 with input as testing.config({"user": "185:0", "uid": 7})
}

test_who_is_a_number_or_a_name if {
	image.who == "user 185" with input as testing.config({"user": "185:0"})
	given := json.patch(testing.config({"user": "spark"}), [{"op": "remove", "path": "/facts/config/uid"}])
	image.who == `user "spark"` with input as given
}

test_groups_are_the_users_own_and_those_it_joined if {
	groups := [{"name": "data", "gid": 50, "members": ["app"]}, {"name": "staff", "gid": 60, "members": []}]
	image.gids == {1000, 50} with input as testing.facts_with({"groups": groups})
	image.gids == {60} with input as testing.facts_with({"groups": [groups[1]], "config": {"user": "app:staff"}})
	image.gids == {7} with input as testing.config({"user": "99:7"})
	image.gids == {0} with input as testing.config({"user": "99"})
}

test_rights_follow_owner_group_and_others if {
	given := testing.config({"user": "99"})
	image.may({"uid": 99, "gid": 5, "mode": "0600"}, 2) with input as given
	image.may({"uid": 1, "gid": 0, "mode": "0060"}, 2) with input as given
	image.may({"uid": 1, "gid": 5, "mode": "0006"}, 2) with input as given
	image.may({"uid": 1, "gid": 5, "mode": "0000"}, 2) with input as testing.config({"user": "0"})
	not image.may({"uid": 99, "gid": 5, "mode": "0066"}, 2) with input as given
	not image.may({"uid": 1, "gid": 0, "mode": "0606"}, 2) with input as given
	not image.may({"uid": 1, "gid": 5, "mode": "0660"}, 2) with input as given
}

test_an_unknown_user_has_the_rights_of_everybody if {
	given := json.patch(testing.config({"user": "ghost"}), [{"op": "remove", "path": "/facts/config/uid"}])
	image.may({"uid": 0, "gid": 0, "mode": "0705"}, 1) with input as given
	not image.may({"uid": 0, "gid": 0, "mode": "0770"}, 1) with input as given
}

test_few_counts_what_it_leaves_out if {
	words.few(["a", "b"]) == "a, b"
	words.few(["a", "b", "c", "d", "e", "f", "g"]) == "a, b, c, d, e and 2 more"
}

test_mib_rounds_up if words.mib(1048577) == 2
