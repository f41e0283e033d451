package hallmark.base_test

import data.hallmark.base.deny
import data.hallmark.testing

test_secret_env_denies_what_looks_like_one if {
	env := [{"name": "DB_PASSWORD", "value": "***", "secret_like": true, "reason": "its name says so"}]
	deny.secret_env == {"the environment variable DB_PASSWORD looks like a secret (its name says so)"} with input as testing.config({"env": env})
}

test_secret_env_allows_the_rest if deny.secret_env == set() with input as testing.image

test_secret_history_denies_what_looks_like_one if {
	history := [{"created_by": "RUN TOKEN=*** ./fetch", "layer": 0, "secret_like": true}]
	some finding in deny.secret_history with input as testing.facts_with({"history": history})
	finding.layer == 0
	finding.message == `the step "RUN TOKEN=*** ./fetch" holds what looks like a secret (by its value)`
}

test_secret_history_allows_the_rest if deny.secret_history == set() with input as testing.image

test_private_keys_denies_each_kind if {
	paths := ["/root/.ssh/id_ed25519", "/home/a/.ssh/identity", "/etc/ssh/ssh_host_rsa_key", "/opt/vm.ppk"]
	given := testing.files({path: testing.file("0600") | some path in paths})
	{finding.file | some finding in deny.private_keys} == {path | some path in paths} with input as given
}

test_private_keys_allows_public_ones if {
	given := testing.files({path: testing.file("0644") |
		some path in ["/root/.ssh/id_ed25519.pub", "/etc/ssh/ssh_host_rsa_key.pub", "/root/.ssh/known_hosts"]
	})
	deny.private_keys == set() with input as given
}

test_credential_files_denies_known_ones if {
	given := testing.files({"/root/.aws/credentials": testing.file("0600"), "/home/a/.docker/config.json": testing.file("0600")})
	{finding.message | some finding in deny.credential_files} == {
		"/root/.aws/credentials holds credentials (AWS)",
		"/home/a/.docker/config.json holds credentials (container registries)",
	} with input as given
}

test_credential_files_allows_empty_ones_and_folders if {
	given := testing.files({"/root/.netrc": object.union(testing.file("0600"), {"size": 0}), "/root/.kube/config": testing.dir("0755")})
	deny.credential_files == set() with input as given
}

test_git_folder_denies_a_repository if {
	deny.git_folder == {{"message": "/src/.git is a Git repository", "file": "/src/.git/HEAD"}} with input as testing.files({"/src/.git/HEAD": testing.file("0644")})
}

test_git_folder_allows_ignore_files if deny.git_folder == set() with input as testing.files({"/src/.gitignore": testing.file("0644")})

test_password_hash_denies_any if {
	deny.password_hash == {{"message": "the user root has a password", "file": "/etc/shadow"}} with input as testing.changed([{"op": "replace", "path": "/facts/users/0/password", "value": "set"}])
}

test_password_hash_allows_locked_ones if deny.password_hash == set() with input as testing.image

test_empty_password_denies_any if {
	given := testing.changed([{"op": "replace", "path": "/facts/users/1/password", "value": "empty"}])
	deny.empty_password == {{"message": "anyone may become app: its password is empty", "file": "/etc/shadow"}} with input as given
}

test_empty_password_allows_no_shadow_line if {
	deny.empty_password == set() with input as testing.changed([{"op": "replace", "path": "/facts/users/1/password", "value": "none"}])
}

test_docker_socket_denies_volumes_and_files if {
	count(deny.docker_socket) == 1 with input as testing.config({"volumes": ["/var/run/docker.sock"]})
	count(deny.docker_socket) == 1 with input as testing.config({"volumes": ["/run"]})
	count(deny.docker_socket) == 1 with input as testing.files({"/var/run/docker.sock": testing.file("0660")})
}

test_docker_socket_allows_other_volumes if deny.docker_socket == set() with input as testing.config({"volumes": ["/data", "/var/run/app"]})
