package goldentest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// judged is what a test would have been told; Fatal ends it like a test's own.
type judged struct {
	testing.TB
	said strings.Builder
}

func (j *judged) Errorf(format string, args ...any) { fmt.Fprintf(&j.said, format, args...) }

func (j *judged) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	runtime.Goexit()
}

// judge is what Compare says.
func judge(t *testing.T, file, got string) string {
	t.Helper()
	j := &judged{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Compare(j, file, got)
	}()
	<-done
	return j.said.String()
}

// The flag is the whole process's: the tests stand in one, which alone sets it.
func TestCompare(t *testing.T) {
	const command = " ./pipeline/goldentest -run '^TestCompare$' -update"
	asked := *update
	t.Cleanup(func() { *update = asked })
	*update = false
	file := filepath.Join(t.TempDir(), "testdata", "made.golden")

	if said := judge(t, file, "one\n"); !strings.Contains(said, file) || !strings.Contains(said, command) {
		t.Errorf("of a file that is not there: %q", said)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("without the flag something was written: %v", err)
	}

	*update = true
	if said := judge(t, file, "one\n"); said != "" {
		t.Errorf("when it was written: %q", said)
	}
	*update = false
	if text, err := os.ReadFile(file); string(text) != "one\n" {
		t.Fatalf("the file holds %q, %v", text, err)
	}

	if said := judge(t, file, "one\n"); said != "" {
		t.Errorf("of the same text: %q", said)
	}
	said := judge(t, file, "two\n")
	for _, want := range []string{file, command, "one", "two"} {
		if !strings.Contains(said, want) {
			t.Errorf("of another text: %q lacks %q", said, want)
		}
	}
	if text, err := os.ReadFile(file); string(text) != "one\n" {
		t.Errorf("comparing changed the file: %q, %v", text, err)
	}

	// What cannot be written is no golden file.
	*update = true
	if said := judge(t, filepath.Join(file, "below"), "one\n"); said == "" {
		t.Error("nothing was said of a file that cannot be written")
	}
}

// A part of a test is updated by the whole test, since only that has a name which -run takes without escapes.
func TestCommand(t *testing.T) {
	t.Run("of a part", func(t *testing.T) {
		got, want := Command(t), " ./pipeline/goldentest -run '^TestCommand$' -update" // between: tags, where there are any
		if !strings.HasPrefix(got, "go test ") || !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q at its end", got, want)
		}
	})
}
