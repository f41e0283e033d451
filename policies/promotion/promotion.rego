package hallmark.promotion

import data.hallmark.words

# kind(e) is the kind of a statement, or its predicate type where that is not a known one.
kind(e) := object.get(data.promotion.kinds.kinds, e.predicate_type, e.predicate_type)

called(k) := object.get(data.promotion.kinds.words, [k, "called"], k)

remedy(k) := object.get(data.promotion.kinds.words, [k, "remedy"], "Attach this evidence to the image.")

# about(e) holds for statements about this very subject.
about(e) if {
	e.digest == input.subject.digest
	e.repository == input.subject.repository
}

trusted(_) if count(input.params.signers) == 0

trusted(e) if e.signer in input.params.signers

now := time.parse_rfc3339_ns(input.now)

made(e) := time.parse_rfc3339_ns(e.at)

# Clocks of different machines differ by this much.
skew := 300 * 1000000000

# standing are the statements that count: about this subject, from a trusted signer, the newest of each kind, target and slot.
standing contains e if {
	some e in input.evidence
	about(e)
	trusted(e)
	not superseded(e)
}

superseded(e) if {
	some other in input.evidence
	about(other)
	trusted(other)
	kind(other) == kind(e)
	other.target == e.target
	other.slot == e.slot
	made(other) > made(e)
}

standing_kinds := {kind(e) | some e in standing}

# METADATA
# title: All required evidence must stand
# custom:
#   severity: critical
#   remedy: Run the missing steps for this digest.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.evidence contains finding if {
	some k in input.params.require
	not k in standing_kinds
	finding := {
		"message": sprintf("no signed %s for %s%s", [called(k), input.subject.digest, near(k)]),
		"remedy": remedy(k),
	}
}

# near(k) says what stands in place of the missing evidence.
near(k) := sprintf("; one by %s does not count", [words.few(signers)]) if {
	signers := sort({e.signer | some e in input.evidence; kind(e) == k; about(e); not trusted(e)})
	count(signers) > 0
} else := sprintf("; one stands for %s", [words.few(others)]) if {
	others := sort({sprintf("%s@%s", [e.repository, e.digest]) | some e in input.evidence; kind(e) == k; not about(e)})
	count(others) > 0
} else := ""

# METADATA
# title: Evidence must be about this image
# description: A statement found beside an image but about another one is a mistake or an attack.
# custom:
#   severity: medium
#   remedy: Remove the foreign statement from the registry, and find out how it came there.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.subject contains sprintf("a %s is about %s@%s", [called(kind(e)), e.repository, e.digest]) if {
	some e in input.evidence
	not about(e)
	kind(e) in standing_kinds
}

# METADATA
# title: Every verdict must be a pass
# custom:
#   severity: critical
#   remedy: Mend what the step found, and run it again.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.verdict contains finding if {
	some e in standing
	not e.verdict in {"pass", ""}
	finding := {
		"message": sprintf("the %s%s of %s says %s", [called(kind(e)), on(e), substring(e.at, 0, 10), e.verdict]),
		"remedy": after(e),
	}
}

after(e) := "Mend what it found, and run it again." if e.verdict == "fail"

after(e) := remedy(kind(e)) if e.verdict != "fail"

# A verdict belongs to these: without one they prove nothing.
deny.verdict contains finding if {
	some e in standing
	kind(e) in {"vulnerabilities", "check", "launch"}
	e.verdict == ""
	finding := {
		"message": sprintf("the %s%s of %s has no verdict", [called(kind(e)), on(e), substring(e.at, 0, 10)]),
		"remedy": remedy(kind(e)),
	}
}

on(e) := sprintf(" on %s", [e.target]) if e.target != ""

on(e) := "" if e.target == ""

# METADATA
# title: The image must have been launched on every target
# custom:
#   severity: critical
#   remedy: Run the launch step for this target.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.targets contains sprintf("no signed launch result on %s for %s", [target, input.subject.digest]) if {
	some target in input.params.targets
	not target in {e.target | some e in standing; kind(e) == "launch"}
}

# METADATA
# title: Evidence must be recent
# custom:
#   severity: high
#   remedy: Run the step again.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.age contains finding if {
	some e in standing
	kind(e) in input.params.require
	limit := limit_of(kind(e))
	now - made(e) > time.parse_duration_ns(limit)
	finding := {
		"message": sprintf("the %s%s is of %s, more than %s old", [called(kind(e)), on(e), e.at, limit]),
		"remedy": remedy(kind(e)),
	}
}

deny.age contains {"message": sprintf("the %s%s is of %s, which is yet to come", [called(kind(e)), on(e), e.at]), "remedy": "Set the clock of the machine that signed it, and run the step again."} if {
	some e in standing
	made(e) - now > skew
}

limit_of(k) := input.params.max_age_vulnerabilities if k == "vulnerabilities"

limit_of(k) := input.params.max_age if k != "vulnerabilities"

# METADATA
# title: The vulnerability database must have been recent
# description: A scan with an old database does not know what has been found since.
# custom:
#   severity: high
#   remedy: Update the database and run the scan step again.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.database contains sprintf("the vulnerability database was of %s when the image was scanned on %s, more than %s old", [e.database_updated_at, e.at, input.params.max_age_database]) if {
	some e in standing
	kind(e) == "vulnerabilities"
	e.database_updated_at != ""
	made(e) - time.parse_rfc3339_ns(e.database_updated_at) > time.parse_duration_ns(input.params.max_age_database)
}

deny.database contains sprintf("the %s of %s does not say of what day its database was", [called("vulnerabilities"), e.at]) if {
	some e in standing
	kind(e) == "vulnerabilities"
	e.database_updated_at == ""
}

# METADATA
# title: The check must have asked all packs
# description: A pass by fewer packs than are wanted says nothing about what the others ask for.
# custom:
#   severity: critical
#   remedy: Run the check step again with these packs.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.packs contains sprintf("the check verdict of %s is missing %s: it asked %s", [substring(e.at, 0, 10), words.few(sort(missing)), words.few(sort(names))]) if {
	some e in standing
	kind(e) == "check"
	missing := {p | some p in input.params.packs; not asked(e, p)}
	count(missing) > 0
	names := {p.name | some p in e.packs}
}

asked(e, wanted) if {
	some p in e.packs
	wanted in {p.name, sprintf("%s@%s", [p.name, p.digest])}
}

# METADATA
# title: The scan must have been as strict as is wanted
# custom:
#   severity: critical
#   remedy: Run the scan step again with these settings.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.scan contains sprintf("the %s of %s does not say what it looked for", [called("vulnerabilities"), substring(e.at, 0, 10)]) if {
	some e in standing
	kind(e) == "vulnerabilities"
	not e.scan.known
	{input.params.scan_fail_on != "", input.params.scan_unfixable, input.params.scan_secrets} & {true} != set()
}

deny.scan contains sprintf("the %s of %s blocked from %s on, not from %s", [called("vulnerabilities"), substring(e.at, 0, 10), e.scan.fail_on, input.params.scan_fail_on]) if {
	some e in standing
	kind(e) == "vulnerabilities"
	e.scan.known
	input.params.scan_fail_on != ""
	rank(e.scan.fail_on) > rank(input.params.scan_fail_on)
}

deny.scan contains sprintf("the %s of %s let pass what has no fix", [called("vulnerabilities"), substring(e.at, 0, 10)]) if {
	some e in standing
	kind(e) == "vulnerabilities"
	e.scan.known
	input.params.scan_unfixable
	e.scan.fixable_only
}

deny.scan contains sprintf("the %s of %s did not look for secrets", [called("vulnerabilities"), substring(e.at, 0, 10)]) if {
	some e in standing
	kind(e) == "vulnerabilities"
	e.scan.known
	input.params.scan_secrets
	not e.scan.secrets
}

# What is no severity at all is the least strict.
rank(severity) := object.get({"unknown": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}, severity, 5)

# METADATA
# title: The image must have been launched in every way
# custom:
#   severity: critical
#   remedy: Run the launch step again with this launch.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.launches contains sprintf("no signed launch result of %s for %s", [wanted, input.subject.digest]) if {
	some wanted in input.params.launches
	not wanted in {e.slot | some e in standing; kind(e) == "launch"}
}

# METADATA
# title: Launches must have been asked all probes
# description: A launch that was asked less than is wanted has passed less. Probes are known by their names.
# custom:
#   severity: critical
#   remedy: Run the launch step again with these probes.
#   source: docs/evidence.md
#   effective: 2025-01-01
deny.probes contains sprintf("the launch of %s on %s is missing %s", [substring(e.at, 0, 10), e.slot, words.few(sort(missing))]) if {
	some e in standing
	kind(e) == "launch"
	missing := {name |
		some wanted in input.params.probes
		startswith(wanted, concat("", [e.slot, " "]))
		name := substring(wanted, count(e.slot) + 1, -1)
		count([1 | some other in input.params.probes; other == wanted]) > count([1 | some probe in e.probes; probe == name])
	}
	count(missing) > 0
}
