package check_test

import (
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/check"
)

// TestPacks runs every Rego test of every pack that the program carries, and fails for rules that have none.
func TestPacks(t *testing.T) {
	t.Parallel()
	for _, name := range check.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packs, err := check.Load("", name)
			if err != nil {
				t.Fatal(err)
			}
			report, err := check.Test(t.Context(), packs[0])
			if err != nil {
				t.Fatal(err)
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
		})
	}
}
