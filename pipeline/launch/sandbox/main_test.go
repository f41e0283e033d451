package sandbox_test

import (
	"os"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/inside"
)

// TestMain makes the test binary its own engine, and its own helper inside the containers.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == inside.Verb {
		os.Exit(inside.Main(os.Args[2:]))
	}
	os.Exit(enginetest.Main(m))
}
