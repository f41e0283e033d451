package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

var samples = map[string]func() Report{"passed": passed, "failed": failed, "inconclusive": inconclusive, "empty": func() Report { return Report{} }}

// TestRenderings compares every rendering of every sample with what people read last time.
func TestRenderings(t *testing.T) {
	t.Parallel()
	renderings := map[string]func(io.Writer, Report) error{
		"board.txt":        func(w io.Writer, r Report) error { return Board(w, r, 80, false) },
		"narrow.txt":       func(w io.Writer, r Report) error { return Board(w, r, 50, false) },
		"colour.txt":       func(w io.Writer, r Report) error { return Board(w, r, 80, true) },
		"json":             JSON,
		"md":               Markdown,
		"summary.md":       Summary,
		"junit.xml":        JUnit,
		"env":              Dotenv,
		"codequality.json": func(w io.Writer, r Report) error { return GitLabCodeQuality(w, r, "images/Dockerfile") },
		"scanning.json":    GitLabContainerScanning,
		"sarif":            func(w io.Writer, r Report) error { return SARIF(w, r, "images/Dockerfile") },
		"html":             HTML,
	}
	for name, sample := range samples {
		for ending, render := range renderings {
			t.Run(name+"."+ending, func(t *testing.T) {
				t.Parallel()
				var out bytes.Buffer
				if err := render(&out, sample()); err != nil {
					t.Fatal(err)
				}
				goldentest.Compare(t, "testdata/"+name+"."+ending, out.Bytes())
			})
		}
	}
}

// TestBoardFits looks at every line that holds no word longer than the board.
func TestBoardFits(t *testing.T) {
	t.Parallel()
	for name, sample := range samples {
		var out bytes.Buffer
		if err := Board(&out, sample(), 80, false); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); cells(line) > 80 && len(strings.Fields(line)) > 2 {
				t.Errorf("%s: this line takes %d columns: %s", name, cells(line), line)
			}
			if strings.ContainsAny(line, "\x1b\x07\r") {
				t.Errorf("%s: this line steers the terminal: %q", name, line)
			}
		}
	}
}

// TestJSONReadsBack checks that nothing is lost.
func TestJSONReadsBack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	want := passed()
	want.Version = Version
	if err := JSON(&out, want); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVerifyTable(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]Verification{"verified": verified(), "unverified": unverified()} {
		var out, colour bytes.Buffer
		if err := VerifyTable(&out, v, 100, false); err != nil {
			t.Fatal(err)
		}
		goldentest.Compare(t, "testdata/"+name+".txt", out.Bytes())
		if err := VerifyTable(&colour, v, 80, true); err != nil {
			t.Fatal(err)
		}
		goldentest.Compare(t, "testdata/"+name+".colour.txt", colour.Bytes())
		var body bytes.Buffer
		if err := VerifyJSON(&body, v); err != nil {
			t.Fatal(err)
		}
		goldentest.Compare(t, "testdata/"+name+".json", body.Bytes())
	}
}

// TestFindings compares the list of one gate.
func TestFindings(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Findings(&out, failed().Findings, 80, false); err != nil {
		t.Fatal(err)
	}
	goldentest.Compare(t, "testdata/findings.txt", out.Bytes())
}

// TestCheckup compares what doctor says, for people and machines.
func TestCheckup(t *testing.T) {
	t.Parallel()
	c := Checkup{Image: hostile}
	c.Add(Symptom{What: "engine", Health: Well, Detail: "the embedded engine"})
	c.Add(Symptom{What: "referrers", Health: Care, Detail: "registry.example.com does not list what refers to an image", Remedy: "Nothing: Hallmark keeps the list in a tag"})
	if c.ExitCode != 0 {
		t.Errorf("what is well, or worth knowing, ends with %d", c.ExitCode)
	}
	c.Add(Symptom{What: "database", Health: Unknown, Detail: "no answer after 5 attempts, and " + hostile, Remedy: "Check the network"})
	if c.ExitCode != 3 {
		t.Errorf("what is unknown ends with %d", c.ExitCode)
	}
	c.Add(Symptom{What: "push", Health: Ill, Detail: "asking to write to registry.example.com/spark: the registry answered 401 Unauthorized, which it says in many words", Remedy: "Check that user ci of Docker's configuration is still valid"})
	c.Add(Symptom{What: "clock", Health: Unknown, Detail: "no answer"})
	if c.ExitCode != 1 {
		t.Errorf("what must be mended ends with %d", c.ExitCode)
	}
	for file, render := range map[string]func(io.Writer) error{
		"checkup.txt":        func(w io.Writer) error { return CheckupTable(w, c, 80, false) },
		"checkup.colour.txt": func(w io.Writer) error { return CheckupTable(w, c, 80, true) },
		"checkup.json":       func(w io.Writer) error { return CheckupJSON(w, c) },
	} {
		var out bytes.Buffer
		if err := render(&out); err != nil {
			t.Fatal(err)
		}
		goldentest.Compare(t, "testdata/"+file, out.Bytes())
	}
}

// TestUnfinished: no findings mean a clean image only where every gate has judged.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps    []Step
		finished bool
	}{
		"no steps":         {nil, false},
		"a build alone":    {[]Step{{Name: "build", State: Done}}, false},
		"both done":        {[]Step{{Name: "check", State: Done}, {Name: "scan", State: Done}}, true},
		"a gate that says": {[]Step{{Name: "check", State: Failed, Verdict: verdict.Fail}, {Name: "scan", State: Done}}, true},
		"no database":      {[]Step{{Name: "check", State: Done}, {Name: "scan", State: Failed, Verdict: verdict.Inconclusive}}, false},
		"left out":         {[]Step{{Name: "check", State: Skipped}, {Name: "scan", State: Done}}, false},
		"a failed build":   {[]Step{{Name: "build", State: Failed}, {Name: "check", State: NotReached}, {Name: "scan", State: NotReached}}, false},
		"one command":      {[]Step{{Name: "scan", State: Done}}, true},
	} {
		if got := (Report{Steps: c.steps}).Unfinished() == ""; got != c.finished {
			t.Errorf("%s: finished %v", name, got)
		}
	}
}

// TestEnding: the output verdict says retry only where that may help.
func TestEnding(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		verdict.ExitUsage: "usage", verdict.ExitInconclusive: "inconclusive", verdict.ExitConflict: "conflict", verdict.ExitInterrupted: "interrupted",
	} {
		if got := (Report{Verdict: verdict.Inconclusive, ExitCode: code}).Outputs()[0]; got.Name != "verdict" || got.Value != want {
			t.Errorf("exit code %d: %+v", code, got)
		}
	}
}
