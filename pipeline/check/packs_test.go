package check_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// TestPacks runs every Rego test of every pack that the program carries, and fails for rules that have none and for lines
// that no test reaches.
func TestPacks(t *testing.T) {
	t.Parallel()
	for _, name := range check.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := check.Test(t.Context(), load(t, name)[0])
			if err != nil {
				t.Fatal(err)
			}
			judge(t, report)
		})
	}
}

func TestHelpersOfPacks(t *testing.T) {
	t.Parallel()
	judge(t, check.RunSharedTests(t.Context(), t))
}

func judge(t *testing.T, report check.TestReport) {
	t.Helper()
	if len(report.Tests) < 10 {
		t.Errorf("only %d tests ran", len(report.Tests))
	}
	for _, test := range report.Tests {
		t.Run(test.Name, func(t *testing.T) {
			if !test.Passed {
				t.Errorf("%s:%d: %s", test.File, test.Line, test.Message)
			}
		})
	}
	for _, id := range report.Untested {
		_, rule, _ := strings.Cut(id, ".")
		t.Errorf("%s has no tests: write test_%s_denies_… and test_%s_allows_…", id, rule, rule)
	}
	for _, line := range report.Uncovered {
		t.Errorf("no test reaches %s", line)
	}
}

func load(t testing.TB, names ...string) []*check.Pack {
	t.Helper()
	packs, err := check.Load("", names...)
	if err != nil {
		t.Fatal(err)
	}
	return packs
}

const (
	beginReference = "<!-- What follows is made from the packs: go test ./pipeline/check -run Reference -update -->\n"
	referenceFile  = "../../docs/policies.md"
)

// TestReference keeps docs/policies.md in step with the packs.
func TestReference(t *testing.T) {
	t.Parallel()
	have, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	guide, _, found := strings.Cut(string(have), beginReference)
	if !found {
		t.Fatalf("%s lacks the line %q", referenceFile, beginReference)
	}
	goldentest.Compare(t, referenceFile, guide+beginReference+"\n"+check.Reference(load(t, "base", "spark", "databricks", "databricks-gpu", "promotion")))
}

// TestRulesSayEnough holds the packs' own texts to what the reports need of them.
func TestRulesSayEnough(t *testing.T) {
	t.Parallel()
	for _, pack := range load(t, check.Names()...) {
		for _, rule := range pack.Rules {
			if strings.HasSuffix(rule.Title, ".") || len(rule.Title) > 70 {
				t.Errorf("%s: the title must be short and without a full stop: %q", rule.ID, rule.Title)
			}
			if !strings.HasSuffix(rule.Remedy, ".") {
				t.Errorf("%s: the remedy must be a sentence: %q", rule.ID, rule.Remedy)
			}
		}
	}
}

// TestGuide holds that the pack in docs/policies.md is one: it loads, and its tests pass.
func TestGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, block := range strings.Split(string(guide), "\n```")[1:] {
		_, body, _ := strings.Cut(block, "\n")
		for begin, name := range map[string]string{
			"name: house": "pack.yaml", "package hallmark.house\n": "colour.rego", "package hallmark.house_test\n": "colour_test.rego",
		} {
			if strings.HasPrefix(body, begin) {
				files[name] = &fstest.MapFile{Data: []byte(body)}
			}
		}
	}
	pack, err := check.LoadFS(files, "house")
	if err != nil {
		t.Fatal(err)
	}
	report, err := check.Test(t.Context(), pack)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range report.Tests {
		if !test.Passed {
			t.Errorf("%s: %s", test.Name, test.Message)
		}
	}
	if len(report.Tests) != 2 || len(pack.Rules) != 2 {
		t.Errorf("%d tests, %d rules", len(report.Tests), len(pack.Rules))
	}
}
