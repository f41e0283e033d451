package build_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
)

func TestMain(m *testing.M) { os.Exit(enginetest.Main(m)) }

// context makes a build context with the tool as its shell.
func context(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	tool, err := os.ReadFile(enginetest.Tool(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sh"), tool, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuildSmallest(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	dir := context(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY sh /bin/sh\nRUN write /hello world && cat /hello\nCMD [\"/bin/sh\"]\n"})
	candidate, err := build.Run(t.Context(), e, build.Options{Context: dir, Layout: filepath.Join(t.TempDir(), "layout")})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", candidate)
}
