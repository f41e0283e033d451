package config

import (
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// TestWarnings holds what is told before anything is done, what is not, and that no value is repeated.
func TestWarnings(t *testing.T) {
	t.Parallel()
	cfg, err := load(t, "testdata/warnings.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(cfg.Warnings(), "\n") + "\n"
	goldentest.Compare(t, "testdata/warnings.golden", said)
	if strings.Contains(said, "written-out") {
		t.Errorf("a value is repeated: %s", said)
	}
	quiet, err := load(t, "testdata/good/workspace.yaml", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if all := quiet.Warnings(); len(all) > 0 {
		t.Errorf("warned of what is as it should be: %q", all)
	}
}
