package evidence_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"r.example.com/a","digest":{"sha256":"` +
		`a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"}}],"predicateType":"https://example.com/p","predicate":{}}`
	if _, err := evidence.Parse([]byte(good), 0); err != nil {
		t.Fatalf("the good one is refused: %v", err)
	}
	for _, tt := range []struct{ name, old, replacement, want string }{
		{"another statement version", "Statement/v1", "Statement/v0.1", "not https://in-toto.io/Statement/v1"},
		{"no subject", `[{"name":"r.example.com/a","digest":{"sha256":"` + strings.Repeat("a1", 32) + `"}}]`, `[]`, "0 subjects"},
		{"two subjects", `"subject":[`, `"subject":[{"name":"x","digest":{"sha256":"00"}},`, "2 subjects"},
		{"a short digest", strings.Repeat("a1", 32), "a1a1", "64 lower-case"},
		{"an upper-case digest", strings.Repeat("a1", 32), strings.Repeat("A1", 32), "64 lower-case"},
		{"another algorithm", `"sha256"`, `"sha1"`, "exactly one sha256"},
		{"a second algorithm", `"digest":{`, `"digest":{"sha1":"00",`, "exactly one sha256"},
		{"no repository", `"name":"r.example.com/a"`, `"name":""`, "no repository"},
		{"a bad repository", `r.example.com/a`, `r.example.com/A B`, "not host/path"},
		{"an unknown member", `"predicate":`, `"extra":1,"predicate":`, "unknown"},
		{"a repeated member", `"predicate":`, `"predicateType":"https://example.com/q","predicate":`, "duplicate"},
		{"a member in other case", `"predicateType"`, `"PredicateType"`, "unknown"},
		{"no predicate type", `https://example.com/p`, ``, "0 bytes"},
		{"a predicate type that is no URI", `https://example.com/p`, `p`, "not a URI"},
		{"a huge predicate type", `https://example.com/p`, `https://example.com/` + strings.Repeat("p", 600), "not 1 to 512"},
		{"a predicate that is no object", `"predicate":{}`, `"predicate":[]`, "not a JSON object"},
		{"no predicate", `,"predicate":{}`, ``, "not a JSON object"},
		{"cut off", `{}}`, `{`, "not in-toto JSON"},
		{"text after it", `{}}`, `{}} {}`, "not in-toto JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bad := strings.Replace(good, tt.old, tt.replacement, 1)
			if bad == good {
				t.Fatal("the case changes nothing")
			}
			_, err := evidence.Parse([]byte(bad), 0)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if _, err := evidence.Parse([]byte(good), 100); err == nil || !strings.Contains(err.Error(), "limit of 100") {
		t.Errorf("the limit is not enforced: %v", err)
	}
}

func TestPredicatesRefuse(t *testing.T) {
	t.Parallel()
	made := all(t)
	for _, tt := range []struct{ name, kind, old, replacement, want string }{
		{"no inputs", "provenance", inputs, "", "not a sha256 digest"},
		{"another build type", "provenance", "dockerfile-build/v1", "dockerfile-build/v9", "build type"},
		{"a pass with a blocking vulnerability", "vulnerabilities", `"verdict":"fail"`, `"verdict":"pass"`, "amount to fail"},
		{"no verdict", "vulnerabilities", `"verdict":"fail"`, `"verdict":"inconclusive"`, "neither pass nor fail"},
		{"FAILED and pass", "checked", `"PASSED"`, `"FAILED"`, `"FAILED" and the verdict "pass"`},
		{"another pack", "checked", `"version":"1.2.0"`, `"version":"1.2.1"`, "not that of its packs"},
		{"another resource", "checked", "platform/spark@", "platform/other@", "not its subject"},
		{"a pass with a failed probe", "launched", `"verdict":"fail","run"`, `"verdict":"pass","run"`, "at once"},
		{"no target", "launched", `"target":"sandbox","profile":"spark","runtime":"runc 1.5.2","probes"`, `"target":"","profile":"spark","probes"`, "no target"},
		{"another image moved", "promoted", `"to":"` + digestA, `"to":"` + digestB, "not its subject"},
		{"a verdict on a promotion", "promoted", `"inputs":`, `"verdict":"pass","inputs":`, "not about a gate"},
		{"a bad previous digest", "promoted", `"from":"` + digestB, `"from":"sha256:zz`, "not a sha256 digest"},
		{"not CycloneDX", "cyclonedx", `"CycloneDX"`, `"other"`, "bomFormat"},
		{"no mark in CycloneDX", "cyclonedx", `"hallmark:mark"`, `"hallmark:other"`, "no property hallmark:mark"},
		{"no mark in SPDX", "spdx", `Tool: hallmark`, `Tool: other`, "no annotation"},
		{"another SPDX", "spdx", `SPDX-2.3`, `SPDX-3.0`, "not SPDX-2.x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := made[tt.kind]
			bad := strings.Replace(string(s.Predicate), tt.old, tt.replacement, 1)
			if bad == string(s.Predicate) {
				t.Fatalf("the case changes nothing in %s", s.Predicate)
			}
			s.Predicate = json.RawMessage(bad)
			_, err := evidence.Summarize(s)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestBuildersRefuse(t *testing.T) {
	t.Parallel()
	refused := func(name, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, want)
		}
	}
	_, err := evidence.Provenance(subject.Subject{Repository: "r.example.com/a", Digest: "sha256:1"}, aBuild, note)
	refused("bad subject", "digest", err)
	_, err = evidence.Provenance(about, evidence.Build{Dockerfile: "Dockerfile"}, note)
	refused("no builder", "no builder", err)
	_, err = evidence.Provenance(about, aBuild, evidence.Mark{Inputs: inputs})
	refused("no time", "when it was made", err)
	_, err = evidence.Launched(about, aLaunch, judged(verdict.Inconclusive))
	refused("inconclusive launch", "no evidence", err)
	_, err = evidence.Launched(about, aLaunch, judged(verdict.Pass))
	refused("pass with a failed probe", "the probe python", err)
	_, err = evidence.Checked(about, evidence.Check{}, judged(verdict.Pass))
	refused("no packs", "no pack", err)
	_, err = evidence.CycloneDX(about, json.RawMessage(`null`), note)
	refused("no document", "not an object", err)
	_, err = evidence.CycloneDX(about, json.RawMessage(`{"metadata":7}`), note)
	refused("bad metadata", "metadata", err)
	_, err = evidence.SPDX(about, aCycloneDX, note)
	refused("the other format", "spdxVersion", err)
	bad := aPromotion
	bad.To = digestB
	_, err = evidence.Promoted(about, bad, note)
	refused("another digest", "not its subject", err)
}

func TestForeign(t *testing.T) {
	t.Parallel()
	sum, err := evidence.Summarize(evidence.Statement{PredicateType: "https://example.com/p", Subject: about, Predicate: json.RawMessage(`{}`)})
	if err != nil || sum.Kind != evidence.KindForeign || sum.Verdict != "" || !sum.At.Equal(time.Time{}) {
		t.Errorf("got %+v, %v", sum, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range all(f) {
		data, err := s.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1"}`))
	f.Add([]byte(strings.Repeat("[", 20000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := evidence.Parse(data, 1<<20)
		if err != nil {
			return
		}
		if _, err := subject.New(s.Subject.Repository, s.Subject.Digest); err != nil {
			t.Fatalf("accepted the subject %v: %v", s.Subject, err)
		}
		again, err := s.Marshal()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if _, err := evidence.Parse(again, 2<<20); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if sum, err := evidence.Summarize(s); err == nil && strings.ContainsAny(sum.Text, "\x1b\n\r") {
			t.Fatalf("control characters in %q", sum.Text)
		}
	})
}
