//go:build real

package real

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// expectation is what a broken variant's file "expect" says.
type expectation struct {
	gate, id, says string
	exit           int
}

func expect(t *testing.T, folder string) (e expectation) {
	t.Helper()
	file, err := os.Open(filepath.Join(folder, "expect"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "gate":
			e.gate = value
		case "id":
			e.id = value
		case "says":
			e.says = value
		case "exit":
			e.exit, err = strconv.Atoi(value)
		}
	}
	if err != nil || e.gate == "" || e.id == "" || e.says == "" {
		t.Fatalf("%s/expect says %+v, %v", folder, e, err)
	}
	return e
}

// gates are the steps that stop a candidate, and those that must not be reached then.
var gates = map[string][]string{
	"check":  {"stage", "launch", "promote"},
	"scan":   {"stage", "launch", "promote"},
	"launch": {"promote"},
}

// broken runs each variant below examples/broken: it stops at its gate, golden stays, and the message helps.
func (s *sparkImage) broken(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(top, "examples", "broken", "*", "expect"))
	if err != nil || len(folders) < 10 {
		t.Fatalf("%d broken variants, %v", len(folders), err)
	}
	for _, path := range folders {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			want := expect(t, folder)
			o := s.call(t, "run", folder).want(t, want.exit)
			stops(t, o, want)
			if golden := verify(t, s.home, "spark:golden", 0); golden.Subject != s.first.report.Subject {
				t.Errorf("golden is %s, and was %s", golden.Subject, s.first.report.Subject)
			}
			if kind, early := map[string]string{"check": "check", "scan": "vulnerabilities"}[want.gate]; early {
				told := verify(t, s.home, o.report.Subject.String(), 1) // nobody can pull it, and why is signed all the same
				if !slices.ContainsFunc(told.Evidence, func(e report.Evidence) bool { return e.Kind == kind && e.Verdict == verdict.Fail }) {
					t.Errorf("no signed %s says fail: %+v", kind, told.Evidence)
				}
				if !strings.Contains(told.Headline, "says fail") || !strings.HasPrefix(told.Next, "Mend what it found") {
					t.Errorf("of all that is missing it tells first: %s. %s", told.Headline, told.Next)
				}
			}
			if want.gate == "launch" {
				staged := verify(t, s.home, o.report.StagingTag, 1)
				if len(staged.Missing) == 0 || staged.Next == "" {
					t.Errorf("the staging tag of a failed launch: %s %+v", staged.Headline, staged.Missing)
				}
				t.Log(staged.Headline)
			}
		})
	}
}

// stops fails the test unless the run ended at the wanted gate, with a finding that names rule, place and remedy.
func stops(t *testing.T, o outcome, want expectation) {
	t.Helper()
	if o.report.Verdict != "fail" {
		t.Errorf("verdict %q", o.report.Verdict)
	}
	if step := o.step(t, want.gate); step.State != report.Failed || step.Verdict != "fail" {
		t.Errorf("step %s: %s %s", want.gate, step.State, step.Verdict)
	}
	for _, later := range gates[want.gate] {
		if step := o.step(t, later); step.State != report.NotReached {
			t.Errorf("step %s: %s", later, step.State)
		}
	}
	i := slices.IndexFunc(o.report.Findings, func(f verdict.Finding) bool { return f.ID == want.id && f.Blocking })
	if i < 0 {
		t.Fatalf("no finding %s blocks: %s", want.id, o)
	}
	f := o.report.Findings[i]
	if f.Gate != want.gate || f.Remedy == "" || f.Message == "" && f.Title == "" {
		t.Errorf("finding %+v", f)
	}
	// What is not there stands nowhere: then the message says where it was looked for.
	if f.Place.String() == "" && want.gate != "launch" && !strings.Contains(f.Message, "PATH") {
		t.Errorf("the finding does not say where: %+v", f)
	}
	if all := o.String(); !strings.Contains(all, want.says) {
		t.Errorf("nothing says %q: %s", want.says, all)
	}
	for _, other := range o.report.Findings {
		if other.Blocking && other.Gate != want.gate {
			t.Errorf("another gate speaks as well: %+v", other)
		}
	}
	for _, g := range o.report.Golden {
		if g.Move != report.Untouched {
			t.Errorf("golden %+v", g)
		}
	}
	t.Logf("%s: %s [%s]. %s", f.ID, f.Message, f.Place, f.Remedy)
}
