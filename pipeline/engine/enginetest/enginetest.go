// Package enginetest lets the tests of every room that needs containers start a real embedded engine, and make images
// out of nothing but a small static program.
package enginetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
)

// Main is to be called by TestMain: the test binary is its own engine.
func Main(m *testing.M) int {
	if len(os.Args) > 1 && os.Args[1] == engine.Verb {
		return engine.Main(os.Args[2:])
	}
	defer func() {
		if kept != nil {
			_ = kept.Close()
		}
		_ = os.RemoveAll(keptRoot)
		if toolDir != "" {
			_ = os.RemoveAll(toolDir)
		}
	}()
	return m.Run()
}

// NeedRoot skips a test that cannot run as this user, and says so; a continuous-integration job must run as root, so
// there it fails.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("this test starts containers and must run as root in CI")
	}
	t.Skip("SKIPPED: this test starts containers and needs root")
}

// Start runs an embedded engine on a folder of its own for the length of the test.
func Start(t testing.TB) *engine.Engine {
	t.Helper()
	return StartWith(t, engine.Options{Root: t.TempDir()})
}

// StartWith runs an embedded engine for the length of the test.
func StartWith(t testing.TB, o engine.Options) *engine.Engine {
	t.Helper()
	NeedRoot(t)
	e, err := engine.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Logf("closing the engine: %v", err)
		}
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(o.Root, "engine.log"))
			t.Logf("engine.log:\n%s", log)
		}
	})
	return e
}

var (
	kept     *engine.Engine
	keptRoot string
	keep     = sync.OnceValue(func() (err error) {
		if keptRoot, err = os.MkdirTemp("", "hallmark-engine-"); err == nil {
			kept, err = engine.Start(context.Background(), engine.Options{Root: keptRoot})
		}
		return err
	})
)

// Shared is one engine for all tests of a package that do it no harm. Main closes it.
func Shared(t testing.TB) *engine.Engine {
	t.Helper()
	NeedRoot(t)
	if err := keep(); err != nil {
		t.Fatal(err)
	}
	return kept
}

var (
	toolDir   string
	buildTool = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "hallmark-tool-")
		if err != nil {
			return "", err
		}
		toolDir = dir
		path := filepath.Join(dir, "tool")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/hallmark-ci/hallmark/pipeline/engine/enginetest/tool")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building the tool: %w\n%s", err, out)
		}
		return path, nil
	})
)

// Tool is the path of the static program: see tool/main.go for its commands.
func Tool(t testing.TB) string {
	t.Helper()
	path, err := buildTool()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
