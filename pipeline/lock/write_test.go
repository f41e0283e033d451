package lock_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "file")
	says := func(body string, fails error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, body)
			return errors.Join(err, fails)
		}
	}
	broken := errors.New("broken")
	for _, step := range []struct {
		name, body, want string
		fails            error
	}{
		{"a new file in new folders", "one", "one", nil},
		{"another in its place", "two", "two", nil},
		{"half of one", "thr", "two", broken},
	} {
		if err := lock.WriteBy(path, 0o600, says(step.body, step.fails)); !errors.Is(err, step.fails) {
			t.Errorf("%s: error %v, want %v", step.name, err, step.fails)
		}
		if body, err := os.ReadFile(path); err != nil || string(body) != step.want {
			t.Errorf("%s: the file says %q (%v), want %q", step.name, body, err, step.want)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("beside the file lies %v (%v)", left, err)
	}
	if err := lock.Write(filepath.Join(path, "under"), 0o600, nil); err == nil {
		t.Error("a file was made inside a file")
	}
}
