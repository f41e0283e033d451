package sandbox_test

import (
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestHelperMustBeStatic(t *testing.T) {
	t.Parallel()
	static, err := faux()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(sandbox.Options{Helper: static}); err != nil {
		t.Errorf("a static program is refused: %v", err)
	}
	_, err = sandbox.New(sandbox.Options{Helper: "/bin/sh"}) // of the host, as every distribution links it
	if verdict.OfError(err) != verdict.Inconclusive || err == nil || !strings.Contains(err.Error(), "linked dynamically") {
		t.Errorf("a program that needs a loader: %v", err)
	}
	if _, err := sandbox.New(sandbox.Options{Helper: "helper_test.go"}); err == nil || !strings.Contains(err.Error(), "helper_test.go") {
		t.Errorf("no program at all: %v", err)
	}
}
