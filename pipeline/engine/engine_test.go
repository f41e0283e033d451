package engine_test

import (
	"os"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

func TestEngineAnswers(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	workers, err := e.Client().ListWorkers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(workers) != 1 {
		t.Fatalf("%d workers, want 1", len(workers))
	}
	t.Log(e.Reason())
}
