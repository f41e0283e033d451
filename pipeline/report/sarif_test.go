package report

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// sarifDocument is what of a document GitHub's limits speak of.
type sarifDocument struct {
	Runs []struct {
		Results []struct {
			RuleID    string
			RuleIndex int
			Level     string
			Locations []json.RawMessage
			Message   struct{ Text string }
		}
		Tool struct {
			Driver struct {
				Rules []struct {
					ID, Name         string
					ShortDescription struct{ Text string }
					Help             struct{ Text string }
					Properties       struct {
						Tags     []string
						Severity string `json:"security-severity"`
					}
				}
			}
		}
		Invocations []struct {
			Notifications []struct {
				Level   string
				Message struct{ Text string }
			} `json:"toolExecutionNotifications"`
		}
	}
}

// tens is a run with 30,000 findings; each text of the given length, which no compressor makes smaller.
func tens(length int) Report {
	random := rand.New(rand.NewPCG(1, 2))
	pool := make([]byte, 4<<20) // far more than a compressor looks back
	for i := range pool {
		pool[i] = byte('!' + random.IntN(94))
	}
	noise := string(pool)
	text := func() string {
		at := random.IntN(len(noise) - length)
		return noise[at : at+length]
	}
	r := passed()
	r.Findings = nil
	for i := range 30_000 {
		r.Findings = append(r.Findings, verdict.Finding{
			ID: fmt.Sprintf("CVE-2026-%05d", i), Gate: "scan", Kind: "vulnerability", Severity: verdict.Severities[i%5],
			Title: text(), Message: text(), Remedy: text(), Package: &verdict.Package{Name: "lib", Installed: "1"}, Blocking: i == 29_995,
			Place: verdict.Place{File: "opt/" + fmt.Sprint(i)},
		})
	}
	return r
}

// TestSARIFSchema: every sample validates, and so do findings that mean harm, and findings by the thousand.
func TestSARIFSchema(t *testing.T) {
	t.Parallel()
	schema := compile(t, "testdata/schemas/sarif-schema-2.1.0.json")
	all := map[string]func() Report{"many": many, "hostile": func() Report { return everywhere(hostile) }, "bytes": func() Report { return everywhere("a\x00b\xff\xfe%zz c") }}
	for name, sample := range samples {
		all[name] = sample
	}
	for name, sample := range all {
		var out bytes.Buffer
		if err := SARIF(&out, sample(), "images/Dockerfile"); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(&out)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSARIFWithinGitHubsLimits: what GitHub documents for code scanning, in "SARIF support for code scanning" (names and
// descriptions) and "SARIF results exceed one or more limits" (everything that is counted).
func TestSARIFWithinGitHubsLimits(t *testing.T) {
	t.Parallel()
	for name, sample := range map[string]func() Report{"many": many, "30,000": func() Report { return tens(60) }, "30,000 long": func() Report { return tens(1500) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sample()
			var out bytes.Buffer
			if err := SARIF(&out, r, "Dockerfile"); err != nil {
				t.Fatal(err)
			}
			var packed counting
			pack := gzip.NewWriter(&packed)
			if _, err := pack.Write(out.Bytes()); err != nil {
				t.Fatal(err)
			}
			if err := pack.Close(); err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes, %d compressed", out.Len(), packed)
			if packed > 10_000_000 {
				t.Errorf("%d bytes compressed: GitHub takes 10 MB", packed)
			}
			var d sarifDocument
			if err := json.Unmarshal(out.Bytes(), &d); err != nil {
				t.Fatal(err)
			}
			if len(d.Runs) != 1 {
				t.Fatalf("%d runs", len(d.Runs))
			}
			run := d.Runs[0]
			rules := run.Tool.Driver.Rules
			if len(run.Results) > 5_000 || len(rules) > 25_000 || len(run.Results) == 0 {
				t.Errorf("%d results of %d rules", len(run.Results), len(rules))
			}
			for _, rule := range rules {
				if len(rule.Properties.Tags) > 10 || rule.Properties.Severity == "" || utf8.RuneCountInString(rule.Name) > 255 || utf8.RuneCountInString(rule.ShortDescription.Text) > 1024 {
					t.Fatalf("the rule %s: %d tags, severity %q, a description of %d bytes", rule.ID, len(rule.Properties.Tags), rule.Properties.Severity, len(rule.ShortDescription.Text))
				}
			}
			for _, result := range run.Results {
				if len(result.Locations) == 0 || len(result.Locations) > 100 || result.RuleIndex >= len(rules) || rules[result.RuleIndex].ID != result.RuleID {
					t.Fatalf("a result of %s has %d places and the rule %d", result.RuleID, len(result.Locations), result.RuleIndex)
				}
			}
			said := ""
			for _, n := range run.Invocations[0].Notifications {
				if strings.Contains(n.Message.Text, "left out") {
					said = n.Level + ": " + n.Message.Text
				}
			}
			left := len(r.Findings) - len(run.Results)
			if want := fmt.Sprintf("warning: %d findings", left); left > 0 && !strings.HasPrefix(said, want) || left == 0 && said != "" {
				t.Errorf("%d findings are left out, and the document says %q", left, said)
			}
			if name == "many" {
				return
			}
			if run.Results[0].RuleID != "CVE-2026-29995" {
				t.Errorf("the finding that blocks is not the first, but %s", run.Results[0].RuleID)
			}
			for _, result := range run.Results[1:] {
				if result.Level != "error" {
					t.Fatalf("%s is a %s, and criticals were left out", result.RuleID, result.Level)
				}
			}
		})
	}
}
