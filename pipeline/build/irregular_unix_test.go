//go:build unix

package build

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestIrregularFiles: pipes are not waited for, and a link that a build cannot follow is told as what it is.
func TestIrregularFiles(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	pipe := func(name string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(name, to string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, folder := range []string{dir, other} {
		if err := os.WriteFile(filepath.Join(folder, "real"), []byte("FROM scratch\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, says := range map[string]string{
		pipe("Dockerfile.pipe"):                              "no regular file",
		link("Dockerfile.out", filepath.Join(other, "real")): "outside of its folder",
		dir: "is a folder",
	} {
		if _, err := readDockerfile(path); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error is %v, want one of usage that says %q", path, err, says)
		}
	}
	if _, err := readDockerfile(link("Dockerfile.in", "real")); err != nil {
		t.Errorf("a link within the folder: %v", err)
	}
	pipe(".dockerignore")
	if _, err := (Options{Context: dir, Layout: dir}).check(); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), ".dockerignore is no regular file") {
		t.Errorf("an ignore file that is a pipe: %v", err)
	}
}
