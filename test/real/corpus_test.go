//go:build real

package real

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// corpusFolder holds the labelled cases; its README says what their keys mean.
const corpusFolder = "test/real/corpus"

// corpusCase is one run: an image, what surrounds it, and what it must come to.
type corpusCase struct {
	Name      string       `yaml:"name"`
	Image     string       `yaml:"image"`     // stage of image/Dockerfile; empty: as-it-is
	Set       []string     `yaml:"set"`       // settings that are different
	Workspace *surrounding `yaml:"workspace"` // nil: launched on this machine
	Expect    corpusLabel  `yaml:"expect"`
}

// surrounding is what the workspace of a case does to it.
type surrounding struct {
	Launches bool             `yaml:"launches"` // images are really launched there; else clusters are states and events only
	Next     []map[string]any `yaml:"next"`     // what becomes of the clusters that are started, one after the other
	Faults   []map[string]any `yaml:"faults"`   // what becomes of requests
}

// corpusLabel is what a case must come to.
type corpusLabel struct {
	Verdict  verdict.Verdict `yaml:"verdict"`
	Exit     int             `yaml:"exit"`     // 0: the verdict's own
	Gate     string          `yaml:"gate"`     // the step that says so
	Cause    string          `yaml:"cause"`    // id of the finding that blocks
	Says     string          `yaml:"says"`     // what stands in the finding, or in the step's reason
	Clusters int             `yaml:"clusters"` // how many were started in the workspace; 0: not asked
}

func corpus(t *testing.T) []corpusCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, corpusFolder, "cases.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []corpusCase `yaml:"cases"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("cases.yaml: %v", err)
	}
	var names []string
	for _, c := range file.Cases {
		if c.Name == "" || slices.Contains(names, c.Name) {
			t.Errorf("the name %q is empty or stands there twice", c.Name)
		}
		names = append(names, c.Name)
		e := c.Expect
		if e.Verdict == "" && e.Exit != 2 || e.Verdict == verdict.Fail && (e.Cause == "" || e.Gate == "") || e.Verdict == verdict.Inconclusive && (e.Says == "" || e.Gate == "") {
			t.Errorf("%s: the label %+v leaves something out", c.Name, e)
		}
	}
	if len(names) < 25 {
		t.Errorf("%d cases", len(names))
	}
	return file.Cases
}

// onThisMachine runs the cases that need no workspace, on a home where the Python example is golden.
func (d *databricksImages) onThisMachine(t *testing.T) {
	for _, c := range corpus(t) {
		if c.Workspace != nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			args := []string{"run", filepath.Join(corpusFolder, "image"), "--set", "build.target=" + cmp.Or(c.Image, "as-it-is")}
			for _, set := range c.Set {
				args = append(args, "--set", set)
			}
			c.Expect.holds(t, d.call(t, args...))
		})
	}
}

// codes are the exit codes of verdicts.
var codes = map[verdict.Verdict]int{verdict.Pass: 0, verdict.Fail: 1, verdict.Inconclusive: 3}

// holds fails the test unless the run came to what the label says, and to nothing else.
func (e corpusLabel) holds(t *testing.T, o outcome) {
	t.Helper()
	code := e.Exit
	if code == 0 {
		code = codes[e.Verdict]
	}
	o.want(t, code)
	if e.Verdict == "" { // nothing was begun: there is no report
		if !strings.Contains(o.said, e.Says) {
			t.Errorf("nothing says %q: %s", e.Says, o.said)
		}
		return
	}
	r := o.report
	if r.Verdict != e.Verdict {
		t.Errorf("verdict %q, want %q: %s", r.Verdict, e.Verdict, o)
	}
	if e.Verdict == verdict.Pass {
		if len(r.Golden) != 1 || r.Golden[0].To != r.Subject.Digest {
			t.Errorf("golden %+v of %s", r.Golden, r.Subject)
		}
		return
	}
	for _, g := range r.Golden {
		if g.Move != report.Untouched {
			t.Errorf("golden %+v", g)
		}
	}
	step := o.step(t, e.Gate)
	if step.State != report.Failed || step.Verdict != e.Verdict {
		t.Errorf("step %s: %s %s, want %s: %s", e.Gate, step.State, step.Verdict, e.Verdict, o)
	}
	said := step.Reason
	if e.Verdict == verdict.Fail {
		said = e.blocks(t, o)
	} else if i := slices.IndexFunc(r.Findings, func(f verdict.Finding) bool { return f.Blocking }); i >= 0 {
		t.Errorf("the image is blamed: %+v", r.Findings[i])
	} else if step.Remedy == "" {
		t.Errorf("no remedy: %+v", step)
	}
	if !strings.Contains(said, e.Says) {
		t.Errorf("nothing says %q: %s", e.Says, said)
	}
	t.Log(step.Reason)
}

// blocks is what the findings that block say. One of them must be the label's cause; the others must be of its gate.
func (e corpusLabel) blocks(t *testing.T, o outcome) string {
	t.Helper()
	var ids []string
	var said strings.Builder
	for _, f := range o.report.Findings {
		if !f.Blocking {
			continue
		}
		ids = append(ids, f.ID)
		fmt.Fprintf(&said, "%s %s %s %s\n", f.ID, f.Title, f.Message, f.Place)
		if f.Gate != e.Gate || f.Remedy == "" {
			t.Errorf("finding %+v", f)
		}
	}
	if !slices.Contains(ids, e.Cause) {
		t.Errorf("what blocks is %v, want %s: %s", ids, e.Cause, o)
	}
	if len(ids) > 1 {
		t.Logf("what blocks: %v", ids)
	}
	return said.String()
}
