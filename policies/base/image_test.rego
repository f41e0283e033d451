package hallmark.base_test

import data.hallmark.base.deny
import data.hallmark.testing

test_exposed_ports_denies_ssh_and_docker if {
	deny.exposed_ports == {"port 22/tcp is exposed: SSH", "port 2375/tcp is exposed: Docker's API without encryption"} with input as testing.config({"exposed_ports": ["22/tcp", "2375/tcp", "80/tcp"]})
}

test_exposed_ports_allows_others if deny.exposed_ports == set() with input as testing.config({"exposed_ports": ["2222/tcp"]})

test_labels_denies_missing_and_empty_ones if {
	given := testing.changed([{"op": "replace", "path": "/facts/config/labels", "value": {"org.opencontainers.image.title": " "}}])
	deny.labels == {"labels are missing: a, org.opencontainers.image.title"} with input as testing.params(given, {"required_labels": ["a", "org.opencontainers.image.title"]})
}

test_labels_allows_all_there if deny.labels == set() with input as testing.image

test_size_denies_large_images if {
	given := testing.params(testing.image, {"size_mib": 50})
	deny.size == {{"message": "the image has 90 MiB, 50 are allowed; its largest layer has 90 MiB", "layer": 0}} with input as given
}

test_size_allows_what_fits if deny.size == set() with input as testing.image

test_layers_denies_many if {
	deny.layers == {"the image has 1 layers, 0 are allowed"} with input as testing.params(testing.image, {"max_layers": 0})
}

test_layers_allows_few if deny.layers == set() with input as testing.image

test_platform_denies_others if {
	deny.platform == {"the image is for linux/s390x"} with input as testing.facts_with({"platform": {"architecture": "s390x"}})
	deny.platform == {"the image is for windows/amd64"} with input as testing.facts_with({"platform": {"os": "windows"}})
}

test_platform_allows_known_ones if deny.platform == set() with input as testing.facts_with({"platform": {"architecture": "arm64"}})

test_os_known_denies_none if count(deny.os_known) == 1 with input as testing.facts_with({"os": {"id": ""}})

test_os_known_allows_any_and_none_where_accepted if {
	deny.os_known == set() with input as testing.image
	deny.os_known == set() with input as testing.params(testing.facts_with({"os": {"id": ""}}), {"allow_no_os": true})
}

on(date) := time.parse_rfc3339_ns(sprintf("%sT00:00:00Z", [date]))

test_os_supported_denies_after_the_last_day if {
	given := testing.facts_with({"os": {"version_id": "11"}})
	deny.os_supported == {"support for debian 11 ended on 2026-08-31"} with input as given with time.now_ns as on("2026-09-01")
	deny.os_supported == {"support for alpine 3.10 ended on 2021-05-01"} with input as testing.facts_with({"os": {"id": "alpine", "version_id": "3.10.9"}}) with time.now_ns as on("2025-01-01")
}

test_os_supported_allows_the_last_day_and_unknown_ones if {
	given := testing.facts_with({"os": {"version_id": "11"}})
	deny.os_supported == set() with input as given with time.now_ns as on("2026-08-31")
	deny.os_supported == set() with input as testing.facts_with({"os": {"id": "arch", "version_id": "1"}})
}

path(value) := testing.config({"env": [{"name": "PATH", "value": value, "secret_like": false}]})

test_path_denies_relative_and_empty_elements if {
	deny.path == {`PATH holds ".", which is not an absolute folder`, `PATH holds "", which is not an absolute folder`} with input as path("/bin:.:")
}

test_path_allows_absolute_ones if deny.path == set() with input as testing.image

base(ref, digest) := testing.built({"bases": [{"ref": ref, "digest": digest, "pinned": false, "line": 3}]})

test_base_pinned_denies_tags if {
	deny.base_pinned == {{"message": "the base debian:13 is not pinned (it was sha256:ab this time)", "line": 3}} with input as base("debian:13", "sha256:ab")
	deny.base_pinned == {{"message": "the base debian:13 is not pinned", "line": 3}} with input as base("debian:13", "")
}

test_base_pinned_allows_digests_and_unknown_builds if {
	deny.base_pinned == set() with input as testing.image
	deny.base_pinned == set() with input as testing.built({"known": false, "bases": []})
}

test_base_latest_denies_latest_and_none if {
	deny.base_latest == {{"message": "the base debian:latest means whatever is the latest", "line": 3}} with input as base("debian:latest", "")
	deny.base_latest == {{"message": "the base host:5000/debian means whatever is the latest", "line": 3}} with input as base("host:5000/debian", "")
}

test_base_pinned_allows_folders_of_the_project if {
	deny.base_pinned == set() with input as base("oci-layout:///work/base", "sha256:ab")
}

test_base_latest_allows_folders_of_the_project if {
	deny.base_latest == set() with input as base("oci-layout:///work/base", "sha256:ab")
}

test_base_latest_allows_versions if deny.base_latest == set() with input as base("host:5000/debian:13", "")

step(text) := testing.built({"steps": [{"line": 7, "instruction": text}]})

test_remote_add_denies_urls if {
	deny.remote_add == {{"message": `"ADD https://example.com/a.tgz /a" has no checksum`, "line": 7}} with input as step("ADD https://example.com/a.tgz /a")
}

test_remote_add_allows_checksums_and_files if {
	deny.remote_add == set() with input as step("ADD --checksum=sha256:ab https://example.com/a.tgz /a")
	deny.remote_add == set() with input as step("ADD rootfs.tar /")
	deny.remote_add == set() with input as step("RUN curl https://example.com")
}

test_nothing_is_wrong_with_the_fixture if {
	found := {name | some name, findings in deny; count(findings) > 0} with input as testing.image with time.now_ns as on("2026-01-01")
	found == set()
}
