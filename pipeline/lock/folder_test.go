package lock_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

func TestFolderIsTakenOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "folder")
	if _, free, err := lock.TryFolder(dir); free || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v, %v", free, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	held, free, err := lock.TryFolder(dir)
	if err != nil || !free {
		t.Fatalf("%v, %v", free, err)
	}
	if again, free, err := lock.TryFolder(dir); again != nil || free || err != nil {
		t.Errorf("a second time: %v, %v, %v", again, free, err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	held, free, err = lock.TryFolder(dir)
	if err != nil || !free {
		t.Fatalf("after it was let go: %v, %v", free, err)
	}
	if err := lock.Remove(dir, held); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "new"), filepath.Join(dir, "old")
	for path, text := range map[string]string{from: "new", to: "old"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Replace(from, to); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(to); err != nil || string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
	if err := lock.Replace(from, to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}
