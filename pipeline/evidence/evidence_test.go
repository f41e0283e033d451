package evidence_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

var (
	digestA = "sha256:" + strings.Repeat("a1", 32)
	digestB = "sha256:" + strings.Repeat("b2", 32)
	about   = subject.Subject{Repository: "registry.example.com/platform/spark", Digest: digestA}
	started = time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)
	ended   = started.Add(90 * time.Second)
	inputs  = evidence.Inputs(map[string]string{"pack": digestB, "database": digestA})
	note    = evidence.Mark{Inputs: inputs, At: ended, Run: "run-7"}
)

func judged(v verdict.Verdict) evidence.Mark {
	m := note
	m.Verdict = v
	return m
}

var (
	aBuild = evidence.Build{
		Dockerfile: "examples/spark/Dockerfile", Target: "runtime", Platforms: []string{"linux/amd64"},
		Args:    map[string]string{"SPARK_VERSION": "4.0.1", "NPM_TOKEN": "npm_abcdefgh", "INDEX": "https://joe:hunter22@pypi.example.com/simple"},
		Bases:   []evidence.Base{{Ref: "debian:12-slim", Digest: digestB}},
		Source:  &evidence.Source{URI: "git+https://github.com/acme/images", Commit: strings.Repeat("c3", 20)},
		Builder: "https://hallmark-ci.github.io/builder/embedded", Version: "0.1.0", Invocation: "run-7",
		Epoch: 1759300000, Started: started, Finished: ended,
	}
	aWaiver = verdict.Waiver{Rule: "spark.uid", Reason: "moves in the next quarter", Owner: "data platform", Until: "2027-01-31"}
	aScan   = evidence.Scan{
		Scanner: "pkg:golang/github.com/aquasecurity/trivy@v0.74.0", Version: "0.74.0", Packages: 412,
		Settings: &evidence.ScanSettings{FailOn: verdict.High, FixableOnly: true, Secrets: true},
		Database: evidence.Database{Source: "ghcr.io/aquasecurity/trivy-db:2", Digest: digestB, Updated: started.Add(-6 * time.Hour)},
		Findings: []verdict.Finding{
			{
				ID: "CVE-2026-1001", Gate: "scan", Kind: "vulnerability", Severity: verdict.High, Blocking: true,
				Package: &verdict.Package{Name: "openssl", Installed: "3.0.1", Fixed: "3.0.2", Type: "debian"},
				Place:   verdict.Place{Layer: digestB},
			},
			{ID: "aws-access-key-id", Gate: "scan", Kind: "secret", Severity: verdict.Critical, Place: verdict.Place{File: "opt/fixture.env"}, Waiver: &aWaiver},
		},
		Started: started, Finished: ended,
	}
	aCheck = evidence.Check{
		Verifier: "https://hallmark-ci.github.io/check", Rules: 41,
		Packs: []evidence.Pack{{Name: "base", Version: "1.0.0", Digest: digestA}, {Name: "spark", Version: "1.2.0", Digest: digestB}},
		Findings: []verdict.Finding{{
			ID: "spark.uid", Gate: "check", Kind: "rule", Severity: verdict.Medium, Message: "the image runs as uid 1000, not 185",
			Place: verdict.Place{File: "Dockerfile:31"}, Waiver: &aWaiver,
		}},
	}
	aLaunch = evidence.Launch{
		Target: "sandbox", Profile: "spark", Runtime: "runc 1.5.2",
		Scripts: []evidence.Script{{Name: "file:/opt/setup.sh", Digest: digestB, Elapsed: 412}, {Name: "s3://bucket/init.sh", Note: "it lies in cloud storage, which the cluster alone reads: not readable from here", Elapsed: 9}},
		Probes: []evidence.Probe{
			{Name: "spark-pi 20", Verdict: verdict.Pass, Elapsed: 8123},
			{Name: "python", Verdict: verdict.Fail, Reason: "exit status 127: python3 is not on PATH", Elapsed: 40},
		},
		Limits: map[string]string{"memory": "3Gi enforced", "pids": "1024 enforced"}, Started: started, Finished: ended,
	}
	aPromotion = evidence.Promotion{
		Tag: "golden", From: digestB, To: digestA, By: "ci@example.com", At: ended,
		Policy: evidence.Pack{Name: "promotion", Version: "1.0.0", Digest: digestB},
	}
	aCycloneDX = json.RawMessage(`{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{"component":{"type":"container","name":"spark"},
		"properties":[{"name":"aquasecurity:trivy:SchemaVersion","value":"2"}]},"components":[{"type":"library","name":"openssl"},{"type":"library","name":"tini"}]}`)
	aSPDX = json.RawMessage(`{"spdxVersion":"SPDX-2.3","SPDXID":"SPDXRef-DOCUMENT","name":"spark","packages":[{"name":"openssl"}]}`)
)

// all is one statement of each kind.
func all(t testing.TB) map[string]evidence.Statement {
	t.Helper()
	out := map[string]evidence.Statement{}
	keep := func(name string, s evidence.Statement, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = s
	}
	s, err := evidence.Provenance(about, aBuild, note)
	keep("provenance", s, err)
	s, err = evidence.CycloneDX(about, aCycloneDX, note)
	keep("cyclonedx", s, err)
	s, err = evidence.SPDX(about, aSPDX, note)
	keep("spdx", s, err)
	s, err = evidence.Vulnerabilities(about, aScan, judged(verdict.Fail))
	keep("vulnerabilities", s, err)
	s, err = evidence.Checked(about, aCheck, judged(verdict.Pass))
	keep("checked", s, err)
	s, err = evidence.Launched(about, aLaunch, judged(verdict.Fail))
	keep("launched", s, err)
	s, err = evidence.Promoted(about, aPromotion, note)
	keep("promoted", s, err)
	s, err = evidence.Signature(about)
	keep("signature", s, err)
	return out
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, s := range all(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := s.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, data, "", "  "); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			sum, err := evidence.Summarize(s)
			if err != nil {
				t.Fatal(err)
			}
			pretty.WriteString(string(sum.Kind) + " | " + sum.Slot + " | " + string(sum.Verdict) + " | " + sum.Text + "\n")
			goldentest.Compare(t, filepath.Join("testdata", name+".golden"), pretty.Bytes())

			again, err := evidence.Parse(data, 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s, again); diff != "" {
				t.Errorf("read back differently (-made +read):\n%s", diff)
			}
			if a, _ := s.Digest(); a == "" {
				t.Error("no digest")
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	made := all(t)
	wantBuild := aBuild
	wantBuild.Args = map[string]string{"SPARK_VERSION": "4.0.1", "NPM_TOKEN": "***", "INDEX": "https://***@pypi.example.com/simple"}
	same := func(name string, want, got any, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-stated +read):\n%s", name, diff)
		}
	}
	build, m, err := evidence.ParseProvenance(made["provenance"])
	same("provenance", wantBuild, build, err)
	same("mark", note, m, nil)
	scan, m, err := evidence.ParseVulnerabilities(made["vulnerabilities"])
	same("vulnerabilities", aScan, scan, err)
	same("mark", judged(verdict.Fail), m, nil)
	check, _, err := evidence.ParseChecked(made["checked"])
	same("checked", aCheck, check, err)
	launch, _, err := evidence.ParseLaunched(made["launched"])
	same("launched", aLaunch, launch, err)
	promotion, _, err := evidence.ParsePromoted(made["promoted"])
	same("promoted", aPromotion, promotion, err)
	bill, m, err := evidence.ParseCycloneDX(made["cyclonedx"])
	same("cyclonedx", evidence.Bill{Format: "CycloneDX", Version: "1.6", Components: 2}, bill, err)
	same("mark", note, m, nil)
	bill, _, err = evidence.ParseSPDX(made["spdx"])
	same("spdx", evidence.Bill{Format: "SPDX", Version: "2.3", Components: 1}, bill, err)
}

// A promotion is recorded beside both images: the one that the tag moved onto, and the one that it left.
func TestPromotedAway(t *testing.T) {
	t.Parallel()
	left := subject.Subject{Repository: about.Repository, Digest: digestB}
	s, err := evidence.Promoted(left, aPromotion, note)
	if err != nil {
		t.Fatal(err)
	}
	if p, _, err := evidence.ParsePromoted(s); err != nil || p.To != digestA || s.Subject != left {
		t.Errorf("%+v, %v, about %s", p, err, s.Subject)
	}
	stayed := aPromotion
	stayed.From = stayed.To
	s, err = evidence.Promoted(about, stayed, note)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := evidence.Summarize(s); err != nil || sum.Text != "golden was at a1a1a1a1a1a1 already, recorded by ci@example.com" {
		t.Errorf("%q, %v", sum.Text, err)
	}
	if _, err := evidence.Promoted(subject.Subject{Repository: about.Repository, Digest: "sha256:" + strings.Repeat("c", 64)}, aPromotion, note); err == nil {
		t.Error("a third image has a record of a move between two others")
	}
}

func TestInputs(t *testing.T) {
	t.Parallel()
	a := evidence.Inputs(map[string]string{"x": "1", "y": "2"})
	if b := evidence.Inputs(map[string]string{"y": "2", "x": "1"}); a != b {
		t.Error("the order of settings matters")
	}
	for name, other := range map[string]map[string]string{
		"other value":    {"x": "1", "y": "3"},
		"values swapped": {"x": "2", "y": "1"},
		"one less":       {"x": "1"},
		"joined":         {"x": `1","y":"2`},
	} {
		if evidence.Inputs(other) == a {
			t.Errorf("%s: the digest is the same", name)
		}
	}
	if evidence.Inputs(map[string]string{"x": "\xff"}) == "" {
		t.Error("no digest for text that is not UTF-8")
	}
}

func TestMaskedSecretsStayOut(t *testing.T) {
	t.Parallel()
	secret.Mask("s3cr3t-of-this-test")
	s, err := evidence.Provenance(about, evidence.Build{
		Dockerfile: "Dockerfile", Builder: "https://example.com/b", Args: map[string]string{"PLAIN": "with s3cr3t-of-this-test inside"},
	}, note)
	if err != nil {
		t.Fatal(err)
	}
	l := aLaunch
	l.Probes = []evidence.Probe{{Name: "run", Verdict: verdict.Fail, Reason: "echoed s3cr3t-of-this-test"}}
	launched, err := evidence.Launched(about, l, judged(verdict.Fail))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []json.RawMessage{s.Predicate, launched.Predicate} {
		if strings.Contains(string(p), "s3cr3t") {
			t.Errorf("the secret is in the evidence: %s", p)
		}
	}
}

func TestSummaryIsOneLine(t *testing.T) {
	t.Parallel()
	l := aLaunch
	l.Target, l.Profile = "sand\x1b[2Jbox", "spark\nservice"
	s, err := evidence.Launched(about, l, judged(verdict.Fail))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := evidence.Summarize(s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(sum.Text, "\x1b\n") {
		t.Errorf("control characters in %q", sum.Text)
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	verified := func(ref string, at time.Time) evidence.Verified { return evidence.Verified{Ref: ref, At: at} }
	list := []evidence.Verified{verified("a", started), verified("b", ended), verified("c", started)}
	if got, found := evidence.Newest(list, func(evidence.Verified) bool { return true }); !found || got.Ref != "b" {
		t.Errorf("newest is %q, %v", got.Ref, found)
	}
	if got, _ := evidence.Newest(list, func(v evidence.Verified) bool { return v.Ref != "b" }); got.Ref != "a" {
		t.Errorf("newest of the others is %q", got.Ref)
	}
	if _, found := evidence.Newest(nil, func(evidence.Verified) bool { return true }); found {
		t.Error("found one in none")
	}
}
