package report

import (
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

var start = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

const (
	digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	older  = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	third  = "sha256:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9"
	signed = "key sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"
)

// hostile is text as an image may hold it to deceive whoever reads the report.
const hostile = "<script>alert('x')</script> \x1b[2J\x1b]0;owned\x07| `rm -rf /` ![x](http://evil.example/x.png) @everyone \u202egnp.exe"

// passed is a run that ended well.
func passed() Report {
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	long := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	r := Report{
		RunID: "01jk5m3x", Hallmark: "0.1.0", Image: "spark",
		Subject:   subject.Subject{Repository: "127.0.0.1:5000/spark", Digest: digest},
		MediaType: "application/vnd.oci.image.manifest.v1+json", Platforms: []string{"linux/amd64"},
		Bases:         []Base{{Ref: "oci-layout://base", Digest: older}},
		StagingTag:    "127.0.0.1:5000/spark:staging-4f2a9c1-9f86d081884c",
		Golden:        []Golden{{Ref: "127.0.0.1:5000/spark:golden", Move: Moved, From: older, To: digest, At: at(101)}},
		Verdict:       verdict.Pass,
		Headline:      "127.0.0.1:5000/spark:golden is now 9f86d081884c: every gate passed.",
		VerifyCommand: "hallmark verify 127.0.0.1:5000/spark:golden",
		Path:          "/home/user/.local/share/hallmark/runs/01jk5m3x/report.html",
		Started:       start, Elapsed: long(102.4),
		Steps: []Step{
			{Name: "build", State: Done, Verdict: verdict.Pass, Started: at(0.5), Elapsed: long(41.2), Detail: "7 steps, 4 from the cache"},
			{Name: "check", State: Done, Verdict: verdict.Pass, Started: at(41.8), Elapsed: long(0.8), Detail: "31 rules of base and spark, 1 waived"},
			{Name: "scan", State: Done, Verdict: verdict.Pass, Started: at(41.8), Elapsed: long(6.1), Detail: "143 packages; nothing fixable at high or above"},
			{Name: "upload", State: Done, Verdict: verdict.Pass, Started: at(41.8), Elapsed: long(2.4), Detail: "3 layers sent (212 MB), 5 were there"},
			{Name: "stage", State: Done, Verdict: verdict.Pass, Started: at(48), Elapsed: long(0.31), Detail: "signed, 4 statements attached"},
			{Name: "launch", State: Done, Verdict: verdict.Pass, Started: at(48.4), Elapsed: long(52.2), Detail: "sandbox: spark-pi, run"},
			{Name: "promote", State: Done, Verdict: verdict.Pass, Started: at(100.7), Elapsed: long(0.05), Detail: "1 tag moved"},
		},
		Timings: []Timing{
			{Step: "build", Name: "[base 1/3] FROM oci-layout://base", Started: at(0.6), Elapsed: long(1.1), Cached: true},
			{Step: "build", Name: "[base 2/3] RUN apt-get install -y openjdk-17-jre-headless tini", Started: at(2), Elapsed: long(31)},
			{Step: "build", Name: "[base 3/3] COPY entrypoint.sh /opt/", Started: at(33), Elapsed: long(0.2)},
			{Step: "launch", Name: "pulling by digest", Started: at(48.5), Elapsed: long(3.1)},
			{Step: "launch", Name: "spark-pi 20", Started: at(62), Elapsed: long(21)},
		},
		Engine: Engine{Name: "embedded", Version: "buildkit v0.33.1, runc 1.5.2", Reason: "this machine allows it and nothing else was asked for"},
		Findings: []verdict.Finding{
			{ID: "spark.uid", Gate: "check", Kind: "rule", Severity: verdict.High, Title: "Spark runs as uid 185", Message: "The image runs as uid 1000.", Remedy: "Set USER 185.", Place: verdict.Place{Dockerfile: "Dockerfile:41"}, Waiver: &verdict.Waiver{Rule: "spark.uid", Reason: "the platform's own user", Owner: "platform", Until: "2027-06-30"}},
			{ID: "CVE-2026-0042", Gate: "scan", Kind: "vulnerability", Severity: verdict.Medium, Title: "A parser reads past its end", Message: "A crafted file makes libfoo read past its end.", Source: "https://example.com/advisories/42", Place: verdict.Place{File: "usr/lib/libfoo.so.1", Layer: older}, Package: &verdict.Package{Name: "libfoo1", Installed: "1.2-3", Type: "debian"}},
		},
		Packs:   []Pack{{Name: "base", Version: "1", Digest: older, Rules: 17}, {Name: "spark", Version: "1", Digest: third, Rules: 14}},
		Waivers: []verdict.Waiver{{Rule: "spark.uid", Reason: "the platform's own user", Owner: "platform", Until: "2027-06-30"}},
		Scan: Scan{Packages: 143, FailOn: "high", Database: Database{
			Source: "demo advisories", Digest: third, Updated: start.Add(-26 * time.Hour), Age: 26 * time.Hour,
			Note: "The vulnerability database is a small demonstration: a pass says nothing about real vulnerabilities.",
		}},
		Layers: []Layer{
			{Index: 0, Digest: older, DiffID: third, Size: 48_000_000, Bytes: 121_000_000, Files: 6210, CreatedBy: "base", Cached: true},
			{Index: 1, Digest: third, DiffID: older, Size: 112_000_000, Bytes: 301_000_000, Files: 912, CreatedBy: "RUN apt-get install -y openjdk-17-jre-headless tini"},
			{Index: 2, Digest: digest, DiffID: digest, Size: 1_200, Bytes: 4_000, Files: 1, CreatedBy: "COPY entrypoint.sh /opt/"},
		},
		Upload: Upload{Sent: 3, Present: 5, Bytes: 212_000_000},
		Launches: []Launch{{
			Target: "sandbox", Profile: "spark", ID: "hallmark-01jk5m3x", Verdict: verdict.Pass, Started: at(48.4), Elapsed: long(52.2), Runtime: "runc 1.5.2",
			Limits: []Limit{{Name: "memory", Asked: "3Gi", Enforced: true}, {Name: "cpus", Asked: "2", Enforced: true}, {Name: "pids", Asked: "1024", Enforced: false, Note: "no pids controller in the cgroup"}},
			Probes: []Probe{
				{Name: "spark-pi 20", Verdict: verdict.Pass, Elapsed: long(21), Output: "Pi is roughly 3.1419151141915114\n"},
				{Name: "run bin/spark-submit --version", Verdict: verdict.Pass, Elapsed: long(3.4), Output: "Welcome to\n      ____              __\n     / __/__  ___ _____/ /__\n    _\\ \\/ _ \\/ _ `/ __/  '_/\n   /___/ .__/\\_,_/_/ /_/\\_\\   version 4.0.1\n      /_/\n"},
			},
			Events:  []Event{{At: at(48.5), Text: "pulled by digest"}, {At: at(52), Text: "master answers on 8080"}, {At: at(55), Text: "worker answers on 8081"}},
			LogPath: "/home/user/.local/share/hallmark/runs/01jk5m3x/launch-0.log", LogTail: "27/01/31 12:00:58 INFO Master: Registering worker 127.0.0.1:7078 with 2 cores, 2.0 GiB RAM\n",
		}},
		Evidence: []Evidence{
			{Kind: "signature", Signer: signed, At: at(48.1)},
			{Kind: "provenance", PredicateType: "https://slsa.dev/provenance/v1", Signer: signed, At: at(48.1), Summary: "1 base image, 7 steps"},
			{Kind: "sbom", PredicateType: "https://cyclonedx.org/bom", Signer: signed, At: at(48.1), Summary: "143 packages"},
			{Kind: "vulnerabilities", PredicateType: "https://in-toto.io/attestation/vulns/v0.2", Signer: signed, At: at(48.1), Verdict: verdict.Pass, Summary: "1 known, none fixable at high or above"},
			{Kind: "check", PredicateType: "https://slsa.dev/verification_summary/v1", Signer: signed, At: at(48.2), Verdict: verdict.Pass, Summary: "31 rules of base and spark", Reused: true},
			{Kind: "launch", PredicateType: "https://in-toto.io/attestation/test-result/v0.1", Signer: signed, At: at(100.6), Verdict: verdict.Pass, Summary: "sandbox, profile spark: spark-pi 20, run bin/spark-submit --version"},
			{Kind: "promotion", PredicateType: "https://hallmark-ci.github.io/promotion/v1", Signer: signed, At: at(101), Summary: "golden: 2c26b46b68ff → 9f86d081884c"},
		},
	}
	return r
}

// failed is a run that stopped at its gates, over an image that means harm.
func failed() Report {
	r := passed()
	r.Verdict, r.ExitCode, r.StagingTag, r.VerifyCommand = verdict.Fail, 1, "", ""
	r.Image = "registry.example.com/a-rather-long-namespace/of-a-platform-team/spark"
	r.Headline = "Two rules and one vulnerability stand against the image; 127.0.0.1:5000/spark:golden is untouched."
	r.Next = "Apply the remedies above and run again: what passed is not done twice."
	r.Golden = []Golden{{Ref: "127.0.0.1:5000/spark:golden", Move: Untouched, To: older}}
	r.Steps[1] = Step{Name: "check", State: Failed, Verdict: verdict.Fail, Started: r.Steps[1].Started, Elapsed: r.Steps[1].Elapsed, Reason: "2 of 31 rules are broken"}
	r.Steps[2] = Step{Name: "scan", State: Failed, Verdict: verdict.Fail, Started: r.Steps[2].Started, Elapsed: r.Steps[2].Elapsed, Reason: "1 vulnerability at high or above has a fix"}
	for i := 4; i < 7; i++ {
		r.Steps[i] = Step{Name: r.Steps[i].Name, State: NotReached, Reason: "a gate before it failed"}
	}
	r.Findings = append([]verdict.Finding{
		{ID: "spark.tini", Gate: "check", Kind: "rule", Severity: verdict.High, Blocking: true, Title: "tini reaps what Spark leaves", Message: "There is no tini on PATH, and the entry point starts through it.", Remedy: "Install the package tini, or copy it to /usr/bin/tini.", Source: "https://spark.apache.org/docs/latest/running-on-kubernetes.html", Place: verdict.Place{Dockerfile: "Dockerfile:12", File: "opt/entrypoint.sh", Line: 88}},
		{ID: "base.secret-env", Gate: "check", Kind: "rule", Severity: verdict.Critical, Blocking: true, Title: "No secrets in the environment", Message: "The variable " + hostile + " looks like a secret.", Remedy: "Pass it with RUN --mount=type=secret.", Waiver: &verdict.Waiver{Rule: "base.secret-env", Reason: "legacy", Owner: "platform", Until: "2026-12-31"}},
		{ID: "CVE-2026-0007", Gate: "scan", Kind: "vulnerability", Severity: verdict.Critical, Blocking: true, Title: "Remote code execution in org.example:parser", Message: "Deserialising foreign data runs foreign code.", Remedy: "Upgrade org.example:parser to 2.4.1.", Source: "javascript:alert(1)", Place: verdict.Place{File: "opt/spark/jars/parser-2.3.0.jar", Layer: third, CreatedBy: "COPY . /opt/spark"}, Package: &verdict.Package{Name: "org.example:parser", Installed: "2.3.0", Fixed: "2.4.1", Type: "jar"}},
	}, r.Findings...)
	r.Launches, r.Evidence = nil, nil
	r.Layers[1].CreatedBy = hostile
	r.Since("127.0.0.1:5000/spark:golden", older, r.Findings[3:4])
	return r
}

// inconclusive is a run whose surroundings failed.
func inconclusive() Report {
	r := passed()
	r.Verdict, r.ExitCode = verdict.Inconclusive, 3
	r.Headline = "The registry stopped answering, which says nothing about the image; 127.0.0.1:5000/spark:golden is untouched."
	r.Next = "Run the same command again: it does only what is missing."
	r.Golden = []Golden{{Ref: "127.0.0.1:5000/spark:golden", Move: Untouched}}
	r.Steps[0] = Step{Name: "build", State: Skipped, Reason: "nothing that goes into it changed since run 01jk5m2w", Detail: "9f86d081884c"}
	r.Steps[3] = Step{Name: "upload", State: Skipped, Reason: "all 8 layers were there", Elapsed: 300 * time.Millisecond}
	r.Steps[4] = Step{
		Name: "stage", State: Failed, Verdict: verdict.Inconclusive, Started: r.Steps[4].Started, Elapsed: 31 * time.Second,
		Reason: "putting the manifest to 127.0.0.1:5000/spark@" + digest + ": no answer after 5 attempts in 30s. Check that the registry runs, and run again.",
		Remedy: "Check that the registry runs, and run again.", Output: "connection refused\nconnection refused\n",
	}
	r.Steps[5] = Step{Name: "launch", State: NotReached}
	r.Steps[6] = Step{Name: "promote", State: NotReached}
	r.Findings, r.Launches, r.Evidence, r.Scan.Database.Note = nil, nil, nil, ""
	r.Elapsed = 3*time.Minute + 2*time.Second
	return r
}

func verified() Verification {
	r := passed()
	return Verification{
		Ref: "127.0.0.1:5000/spark:golden", Subject: r.Subject, Verdict: verdict.Pass, Checked: start, Evidence: r.Evidence,
		Headline: "Everything that the promotion policy asks for is there, signed by a trusted key, and about this digest.",
		Notes:    []string{r.Scan.Database.Note},
	}
}

func unverified() Verification {
	v := verified()
	v.Ref, v.Verdict, v.ExitCode = "127.0.0.1:5000/spark:staging-4f2a9c1-9f86d081884c", verdict.Fail, 1
	v.Evidence = v.Evidence[:4:4]
	v.Evidence[3].Verdict = verdict.Fail
	v.Evidence[3].Summary = "3 known, 1 fixable at critical: CVE-2026-0007 in " + hostile
	v.Missing = []Missing{{Kind: "check", Reason: "nobody signed the result of a check", Remedy: "Run hallmark run again."}, {Kind: "launch", Reason: "the image was never launched"}}
	v.Rejected = []Rejected{{Kind: "check", Ref: "127.0.0.1:5000/spark@" + older, Reason: "it is about 2c26b46b68ff, not about this digest"}}
	v.Headline = "Evidence is missing, and one statement is against the image."
	v.Next = "Run hallmark run to make what is missing."
	v.Notes = nil
	return v
}
