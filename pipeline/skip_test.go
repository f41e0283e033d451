package pipeline

import (
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/config"
)

// TestEveryStepMayBeConfigured: the words of run.only and run.skip are the steps that a run knows.
func TestEveryStepMayBeConfigured(t *testing.T) {
	t.Parallel()
	for step := range needs {
		if _, err := config.Load(t.TempDir(), nil, []string{"run.only=[" + step + "]"}); err != nil {
			t.Error(err)
		}
	}
	if _, err := config.Load(t.TempDir(), nil, []string{"run.skip=[read]"}); err == nil {
		t.Error("a step that cannot be left out is taken")
	}
}
