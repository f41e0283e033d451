package hallmark.promotion_test

import data.hallmark.promotion.deny

subject := {"repository": "registry.example.com/spark", "digest": "sha256:aa"}

types := {
	"provenance": "https://slsa.dev/provenance/v1",
	"sbom": "https://cyclonedx.org/bom",
	"vulnerabilities": "https://in-toto.io/attestation/vulns/v0.2",
	"check": "https://slsa.dev/verification_summary/v1",
	"launch": "https://in-toto.io/attestation/test-result/v0.1",
}

verdicts := {"vulnerabilities": "pass", "check": "pass", "launch": "pass"}

targets := {"launch": "sandbox"}

databases := {"vulnerabilities": "2026-03-09T00:00:00Z"}

statement(k) := {
	"predicate_type": types[k], "repository": subject.repository, "digest": subject.digest, "signer": "key sha256:11",
	"at": "2026-03-10T12:00:00Z", "verdict": object.get(verdicts, k, ""), "target": object.get(targets, k, ""), "slot": "", "ref": "",
	"database_updated_at": object.get(databases, k, ""),
	"packs": [], "probes": [], "scan": {"known": false, "fail_on": "", "fixable_only": true, "secrets": false},
}

# with_evidence(changes) has all kinds of evidence, some changed.
with_evidence(changes) := {
	"subject": subject, "now": "2026-03-11T00:00:00Z", "params": data.defaults,
	"evidence": [object.union(statement(k), object.get(changes, k, {})) | some k, _ in types],
}

good := with_evidence({})

# besides(more) has all kinds of evidence, and more.
besides(more) := object.union(good, {"evidence": array.concat(good.evidence, more)})

params(given, part) := object.union(given, {"params": part})

messages(findings) := {object.get(finding, "message", "") | some finding in findings}

remedies(found) := {f.remedy | some f in found}

test_nothing_is_wrong_with_the_fixture if {
	found := {name | some name, findings in deny; count(findings) > 0} with input as good
	found == set()
}

test_evidence_denies_missing_kinds if {
	given := object.union(good, {"evidence": [e | some e in good.evidence; e.target == ""]})
	messages(deny.evidence) == {"no signed launch result for sha256:aa"} with input as given
}

test_evidence_denies_that_of_other_images if {
	given := with_evidence({"launch": {"digest": "sha256:bb"}})
	messages(deny.evidence) == {"no signed launch result for sha256:aa; one stands for registry.example.com/spark@sha256:bb"} with input as given
}

test_evidence_denies_that_of_other_repositories if {
	given := with_evidence({"check": {"repository": "registry.example.com/other"}})
	messages(deny.evidence) == {"no signed check verdict for sha256:aa; one stands for registry.example.com/other@sha256:aa"} with input as given
}

test_evidence_denies_that_of_other_signers if {
	given := params(with_evidence({"check": {"signer": "key sha256:99"}}), {"signers": ["key sha256:11"]})
	messages(deny.evidence) == {"no signed check verdict for sha256:aa; one by key sha256:99 does not count"} with input as given
}

test_evidence_denies_missing_predicate_types if {
	messages(deny.evidence) == {"no signed https://example.com/review/v1 for sha256:aa"} with input as params(good, {"require": ["https://example.com/review/v1"]})
}

test_evidence_allows_all_there if deny.evidence == set() with input as good

test_evidence_allows_named_predicate_types if deny.evidence == set() with input as params(good, {"require": ["https://example.com/review/v1"]}) with input.evidence as [object.union(statement("sbom"), {"predicate_type": "https://example.com/review/v1"})]

test_subject_denies_foreign_statements_besides_own if {
	given := besides([object.union(statement("check"), {"digest": "sha256:bb"})])
	deny.subject == {"a check verdict is about registry.example.com/spark@sha256:bb"} with input as given
}

test_subject_allows_own_ones if deny.subject == set() with input as good

test_verdict_denies_fail_and_inconclusive if {
	messages(deny.verdict) == {"the launch result on sandbox of 2026-03-10 says inconclusive"} with input as with_evidence({"launch": {"verdict": "inconclusive"}})
	messages(deny.verdict) == {"the check verdict of 2026-03-10 says fail"} with input as with_evidence({"check": {"verdict": "fail"}})
}

test_verdict_says_what_to_do if {
	remedies(deny.verdict) == {"Mend what it found, and run it again."} with input as with_evidence({"check": {"verdict": "fail"}})
	remedies(deny.verdict) == {"Run the check step again."} with input as with_evidence({"check": {"verdict": "inconclusive"}})
}

test_verdict_denies_none_where_one_belongs if {
	messages(deny.verdict) == {"the check verdict of 2026-03-10 has no verdict"} with input as with_evidence({"check": {"verdict": ""}})
}

test_verdict_denies_a_newer_fail if {
	newer := object.union(statement("launch"), {"at": "2026-03-10T13:00:00Z", "verdict": "fail"})
	count(deny.verdict) == 1 with input as besides([newer])
}

test_verdict_denies_a_fail_of_another_target if {
	other := object.union(statement("launch"), {"at": "2026-03-09T13:00:00Z", "verdict": "fail", "target": "kubernetes"})
	messages(deny.verdict) == {"the launch result on kubernetes of 2026-03-09 says fail"} with input as besides([other])
}

test_verdict_denies_an_older_fail_of_another_slot if {
	other := object.union(statement("launch"), {"at": "2026-03-09T13:00:00Z", "verdict": "fail", "slot": "sandbox/service"})
	messages(deny.verdict) == {"the launch result on sandbox of 2026-03-09 says fail"} with input as besides([other])
}

test_verdict_allows_an_older_fail if {
	older := object.union(statement("launch"), {"at": "2026-03-09T13:00:00Z", "verdict": "fail"})
	deny.verdict == set() with input as besides([older])
}

test_verdict_allows_a_fail_of_an_untrusted_signer if {
	other := object.union(statement("launch"), {"at": "2026-03-10T13:00:00Z", "verdict": "fail", "signer": "key sha256:99"})
	deny.verdict == set() with input as params(besides([other]), {"signers": ["key sha256:11"]})
}

test_targets_denies_missing_ones if {
	deny.targets == {"no signed launch result on kubernetes for sha256:aa"} with input as params(good, {"targets": ["sandbox", "kubernetes"]})
}

test_targets_allows_those_there if deny.targets == set() with input as params(good, {"targets": ["sandbox"]})

test_age_denies_old_evidence if {
	messages(deny.age) == {"the launch result on sandbox is of 2026-01-01T00:00:00Z, more than 720h old"} with input as with_evidence({"launch": {"at": "2026-01-01T00:00:00Z"}})
	messages(deny.age) == {"the scan for known vulnerabilities is of 2026-03-01T00:00:00Z, more than 168h old"} with input as with_evidence({"vulnerabilities": {"at": "2026-03-01T00:00:00Z"}})
}

test_age_denies_evidence_from_the_future if {
	messages(deny.age) == {"the check verdict is of 2026-03-11T01:00:00Z, which is yet to come"} with input as with_evidence({"check": {"at": "2026-03-11T01:00:00Z"}})
}

test_age_allows_recent_evidence_and_small_skew if {
	deny.age == set() with input as with_evidence({"check": {"at": "2026-03-11T00:04:00Z"}})
}

test_database_denies_old_and_undated_ones if {
	deny.database == {"the vulnerability database was of 2026-01-01T00:00:00Z when the image was scanned on 2026-03-10T12:00:00Z, more than 168h old"} with input as with_evidence({"vulnerabilities": {"database_updated_at": "2026-01-01T00:00:00Z"}})
	deny.database == {"the scan for known vulnerabilities of 2026-03-10T12:00:00Z does not say of what day its database was"} with input as with_evidence({"vulnerabilities": {"database_updated_at": ""}})
}

test_database_allows_recent_ones if deny.database == set() with input as good

base := {"name": "base", "version": "1.0.0", "digest": "sha256:11"}

asked_packs(packs) := with_evidence({"check": {"packs": packs}})

test_packs_denies_fewer if {
	given := params(asked_packs([base]), {"packs": ["base", "spark", "databricks"]})
	deny.packs == {"the check verdict of 2026-03-10 is missing databricks, spark: it asked base"} with input as given
}

test_packs_denies_another_version if {
	given := params(asked_packs([base]), {"packs": ["base@sha256:22"]})
	deny.packs == {"the check verdict of 2026-03-10 is missing base@sha256:22: it asked base"} with input as given
}

test_packs_allows_all_and_more if {
	given := params(asked_packs([base, object.union(base, {"name": "spark"})]), {"packs": ["base", "spark@sha256:11"]})
	deny.packs == set() with input as given
}

test_packs_allows_any if deny.packs == set() with input as asked_packs([])

scanned(settings) := with_evidence({"vulnerabilities": {"scan": settings}})

strict := {"scan_fail_on": "high", "scan_unfixable": true, "scan_secrets": true}

test_scan_denies_what_says_nothing if {
	deny.scan == {"the scan for known vulnerabilities of 2026-03-10 does not say what it looked for"} with input as params(good, {"scan_secrets": true})
}

test_scan_denies_laxer if {
	given := params(scanned({"known": true, "fail_on": "critical", "fixable_only": true, "secrets": false}), strict)
	deny.scan == {
		"the scan for known vulnerabilities of 2026-03-10 blocked from critical on, not from high",
		"the scan for known vulnerabilities of 2026-03-10 let pass what has no fix",
		"the scan for known vulnerabilities of 2026-03-10 did not look for secrets",
	} with input as given
}

test_scan_denies_no_severity if {
	given := params(scanned({"known": true, "fail_on": "none", "fixable_only": false, "secrets": true}), strict)
	count(deny.scan) == 1 with input as given
}

test_scan_allows_as_strict if deny.scan == set() with input as params(scanned({"known": true, "fail_on": "high", "fixable_only": false, "secrets": true}), strict)

test_scan_allows_stricter if deny.scan == set() with input as params(scanned({"known": true, "fail_on": "low", "fixable_only": false, "secrets": true}), strict)

test_scan_allows_any if deny.scan == set() with input as good

launched(probes) := with_evidence({"launch": {"slot": "sandbox/spark", "probes": probes}})

test_launches_denies_another_profile if {
	given := params(launched([]), {"launches": ["sandbox/spark", "sandbox/service"]})
	deny.launches == {"no signed launch result of sandbox/service for sha256:aa"} with input as given
}

test_launches_allows_all if deny.launches == set() with input as params(launched([]), {"launches": ["sandbox/spark"]})

test_probes_denies_fewer if {
	given := params(launched(["run a", "python"]), {"probes": ["sandbox/spark spark-pi 20", "sandbox/spark run a", "sandbox/spark python", "sandbox/spark python"]})
	deny.probes == {"the launch of 2026-03-10 on sandbox/spark is missing python, spark-pi 20"} with input as given
}

test_probes_allows_all_and_more if {
	given := params(launched(["run a", "python", "python"]), {"probes": ["sandbox/spark python", "sandbox/spark python", "sandbox/service run b"]})
	deny.probes == set() with input as given
}
