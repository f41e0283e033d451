package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const toldConfig = `image: svc
check:
  waivers:
    - rule: base.user
      reason: an example
      owner: the tests
      until: 2020-01-01
scan:
  ignore:
    - {id: CVE-2026-1, reason: an example, owner: the tests, until: 2020-01-02}
launch:
  - probes: [{http: {port: 8000}}]
  - profile: spark
    probes:
      - spark-pi: 2
      - run: {args: [id]}
`

// told is what the log of GitHub's runner gets.
func told(t *testing.T, elsewhere bool, tell func(*teller, *config.Config)) []string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "hallmark.yaml"), []byte(toldConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(folder, nil, []string{"build.dockerfile=images/Dockerfile"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	teller := teller{says: ci.Speak(ci.GitHub, &out, func(string) string { return "" }), workspace: folder, elsewhere: elsewhere}
	tell(&teller, cfg)
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

// TestPlaces: an annotation stands where somebody can mend what it is about.
func TestPlaces(t *testing.T) {
	t.Parallel()
	expired := func(rule, until string) *verdict.Waiver { return &verdict.Waiver{Rule: rule, Until: until} }
	for name, c := range map[string]struct {
		finding   verdict.Finding
		elsewhere bool
		want      string
	}{
		"a layer's line":    {verdict.Finding{Gate: "check", Place: verdict.Place{Dockerfile: "Dockerfile:12"}}, false, "file=images/Dockerfile,line=12,"},
		"no line is known":  {verdict.Finding{Gate: "scan"}, false, "file=images/Dockerfile,line=1,"},
		"not built here":    {verdict.Finding{Gate: "scan", Place: verdict.Place{Dockerfile: "Dockerfile:12"}}, true, "::error title="},
		"an expired waiver": {verdict.Finding{Gate: "check", Waiver: expired("base.user", "2020-01-01")}, false, "file=hallmark.yaml,line=7,"},
		"an expired ignore": {verdict.Finding{ID: "CVE-2026-1", Gate: "scan", Waiver: expired("CVE-2026-1", "2020-01-02")}, false, "file=hallmark.yaml,line=10,"},
		"a launch":          {verdict.Finding{Gate: "launch"}, false, "file=hallmark.yaml,line=12,"},
		"the second launch": {verdict.Finding{Gate: "launch", Place: verdict.Place{Setting: "launch[1]"}}, false, "file=hallmark.yaml,line=13,"},
		"its second probe":  {verdict.Finding{Gate: "launch", Place: verdict.Place{Setting: "launch[1].probes[1]"}}, false, "file=hallmark.yaml,line=16,"},
		"evidence":          {verdict.Finding{Gate: "promote"}, false, "::error title="},
	} {
		c.finding.Blocking, c.finding.Severity, c.finding.Message = true, verdict.High, "a message"
		lines := told(t, c.elsewhere, func(to *teller, cfg *config.Config) {
			to.findings(&report.Report{Findings: []verdict.Finding{c.finding}}, cfg)
		})
		if len(lines) != 1 || !strings.Contains(lines[0], c.want) {
			t.Errorf("%s: %q, want %s", name, lines, c.want)
		}
	}
}

// TestNoMoreThanGitHubTakes: of thousands of findings as many are shown as the runner takes, the gravest first, and the last
// one says how many more there are.
func TestNoMoreThanGitHubTakes(t *testing.T) {
	t.Parallel()
	rep := &report.Report{ExitCode: 1, Verdict: verdict.Fail, Headline: "stopped"}
	for i := range 3000 {
		f := verdict.Finding{ID: fmt.Sprintf("CVE-%04d", i), Gate: "scan", Severity: verdict.High, Blocking: i%2 == 0}
		if i == 2998 {
			f.Severity = verdict.Critical
		}
		rep.Findings = append(rep.Findings, f)
	}
	lines := told(t, false, func(to *teller, cfg *config.Config) {
		to.findings(rep, cfg)
		to.end(rep, cfg)
	})
	counts := map[string]int{}
	for _, line := range lines {
		kind, _, _ := strings.Cut(strings.TrimPrefix(line, "::"), " ")
		counts[kind]++
	}
	if counts["error"] != ci.Most || counts["warning"] > ci.Most || len(counts) != 2 {
		t.Errorf("%v", counts)
	}
	if !strings.Contains(lines[0], "CVE-2998") || !strings.Contains(lines[8], "…and 1492 findings more") {
		t.Errorf("first %q, ninth %q", lines[0], lines[8])
	}
}

// TestTooManyMistakes: as with findings, so with mistakes in hallmark.yaml.
func TestTooManyMistakes(t *testing.T) {
	t.Parallel()
	problems := &config.Problems{More: 5}
	for i := range 20 {
		problems.List = append(problems.List, config.Problem{Source: "hallmark.yaml", Line: i + 1, Column: 1, Message: "is wrong"})
	}
	lines := told(t, false, func(to *teller, _ *config.Config) { to.failure(fmt.Errorf("loading: %w", problems), 2) })
	if len(lines) != ci.Most || !strings.Contains(lines[9], "…and 16 more") {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// TestNotBelieved: the most frequent reasons come first, only a few of them, and none of them ends the line.
func TestNotBelieved(t *testing.T) {
	t.Parallel()
	var rejected []report.Rejected
	for reason, times := range map[string]int{"rare": 1, "often\n::error::evil": 3, "b": 2, "c": 2} {
		for range times {
			rejected = append(rejected, report.Rejected{Reason: reason})
		}
	}
	notes := strings.Join(notBelieved(rejected), "\n")
	for i, wants := range []string{"(3): often", "(2): b", "(2): c"} {
		if lines := strings.Split(notes, "\n"); len(lines) != 3 || !strings.HasPrefix(lines[i], "Beside the image, and not believed "+wants) {
			t.Errorf("line %d is not about %q:\n%s", i, wants, notes)
		}
	}
	if len(notBelieved(nil)) > 0 {
		t.Error("something is not believed where nothing is")
	}
}
