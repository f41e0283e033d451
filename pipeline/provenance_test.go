package pipeline

import (
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// TestProvenanceNamesTheCI: on a CI system, builder and invocation are its, and the source is the commit that it checked out;
// elsewhere they are Hallmark's own. The inputs by which a later run knows the statement again differ with them.
func TestProvenanceNamesTheCI(t *testing.T) {
	t.Parallel()
	commit := "0123456789abcdef0123456789abcdef01234567"
	facts := ci.Facts{
		System: ci.GitHub, Builder: "https://github.com/octo/app/.github/workflows/golden.yml@refs/heads/main",
		Invocation: "https://github.com/octo/app/actions/runs/77/attempts/2", Repository: "https://github.com/octo/app", Revision: commit,
	}
	short := facts
	short.Revision = "0123456"
	retried := facts
	retried.Invocation = "https://github.com/octo/app/actions/runs/77/attempts/3"
	inputs := map[string]string{}
	for name, c := range map[string]struct {
		ci                          ci.Facts
		builder, engine, invocation string
		source                      *evidence.Source
	}{
		"terminal": {ci.Facts{}, "https://hallmark-ci.github.io/builder/embedded", "", "run-1", nil},
		"github":   {facts, facts.Builder, "embedded", facts.Invocation, &evidence.Source{URI: "git+https://github.com/octo/app", Commit: commit}},
		"retried":  {retried, facts.Builder, "embedded", retried.Invocation, &evidence.Source{URI: "git+https://github.com/octo/app", Commit: commit}},
		"short":    {short, facts.Builder, "embedded", facts.Invocation, nil},
	} {
		r := &run{id: "run-1", surroundings: &surroundings{cfg: &config.Config{Build: config.Build{Context: "/work"}}, version: "1.2.3", ci: c.ci}}
		candidate := candidate{made: &build.Candidate{Dockerfile: "/work/Dockerfile", Started: time.Now(), Finished: time.Now()}, builder: "embedded"}
		made, by := candidate.provenance(r)
		inputs[name] = by
		s, err := subject.New("registry.example.com/app", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
		if err != nil {
			t.Fatal(err)
		}
		statement, err := evidence.Provenance(s, made, evidence.Mark{Inputs: by, At: time.Now(), Run: "run-1"})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := evidence.ParseProvenance(statement)
		if err != nil {
			t.Fatal(err)
		}
		if got.Builder != c.builder || got.Engine != c.engine || got.Invocation != c.invocation || got.Version != "1.2.3" {
			t.Errorf("%s: builder %s (%s), invocation %s", name, got.Builder, got.Engine, got.Invocation)
		}
		if (got.Source == nil) != (c.source == nil) || got.Source != nil && *got.Source != *c.source {
			t.Errorf("%s: source %v", name, got.Source)
		}
	}
	if inputs["github"] != inputs["retried"] {
		t.Error("a retry of the same run would state the same again")
	}
	if inputs["github"] == inputs["terminal"] || inputs["github"] == inputs["short"] {
		t.Error("what another builder, or another commit, has made counts as the same")
	}
}

func TestSkipping(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		only, skip []string
		left       []string // nil: refused
	}{
		"nothing":                 {nil, nil, []string{}},
		"no promotion":            {nil, []string{"promote"}, []string{"promote"}},
		"no launch":               {nil, []string{"launch"}, []string{"launch"}},
		"no stage":                {nil, []string{"stage"}, []string{"launch", "promote", "stage"}},
		"no scan":                 {nil, []string{"scan"}, []string{"launch", "promote", "scan", "stage"}},
		"gates":                   {[]string{"check", "scan"}, nil, []string{"launch", "promote", "stage", "upload"}},
		"one gate":                {[]string{"check"}, nil, []string{"launch", "promote", "scan", "stage", "upload"}},
		"up to the launch":        {[]string{"launch"}, nil, []string{"promote"}},
		"everything":              {[]string{"promote"}, nil, []string{}},
		"unknown":                 {nil, []string{"lanch"}, nil},
		"asked for and left out":  {[]string{"check"}, []string{"check"}, nil},
		"a run without its build": {nil, []string{"build"}, nil},
	} {
		got, err := Skipping(c.only, c.skip)
		if (err != nil) != (c.left == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(got) != len(c.left) {
			t.Errorf("%s: left out %v, want %v", name, got, c.left)
		}
		for _, step := range c.left {
			if got[step] == "" {
				t.Errorf("%s: %s is not left out", name, step)
			}
		}
	}
	if left := GatesOnly("for a reason"); left["upload"] == "" || left["stage"] == "" || left["launch"] == "" || left["promote"] == "" || left["scan"] != "" {
		t.Errorf("gates only leaves out %v", left)
	}
}
