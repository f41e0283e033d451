package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// TestMain makes the test binary the program: scripts that call hallmark, and the engine and the probes that hallmark
// starts from its own file, all run main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hallmark": main})
}

// TestScripts runs every verb the way people do: real builds, registries and launches, with folders of their own.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	tool := filepath.Join(bin, "tool")
	compile(t, tool, "./testdata/tool")
	path := os.Getenv("PATH") // has the test binary as hallmark
	if dynamic(t) {
		// The sandbox shows the program to containers that have no dynamic linker, so it must be as people get it.
		compile(t, filepath.Join(bin, "static", "hallmark"), ".")
		path = filepath.Join(bin, "static") + string(filepath.ListSeparator) + path
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       goldentest.Updating(),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", path)
			env.Setenv("TOOL", tool)
			env.Setenv("HOME", filepath.Join(env.WorkDir, "user"))
			env.Setenv("HALLMARK_HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("HALLMARK_SCAN_DATABASE_FROM", "demo")
			env.Values[programsKey{}], env.Values[frontsKey{}] = programs{}, fronts{}
			return os.Mkdir(env.Getenv("HOME"), 0o755)
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			if os.Geteuid() != 0 && os.Getenv("CI") != "" {
				return false, fmt.Errorf("the engine needs root, and in CI no test may be skipped for the want of it")
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"start":       start,
			"interrupt":   interrupt,
			"killprogram": killProgram,
			"killengine":  killEngine,
			"noneleft":    noneLeft,
			"mkimage":     mkimage,
			"mkarchive":   mkarchive,
			"push":        push,
			"retag":       retag,
			"registry":    serveRegistry,
			"meanwhile":   meanwhile,
			"digest":      digest,
			"capture":     capture,
			"json":        isJSON,
			"nowhere":     nowhere,
		},
	})
}

func compile(t *testing.T, output, pkg string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", output, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling %s: %v\n%s", pkg, err, said)
	}
}

// dynamic says whether the test binary needs a dynamic linker, as it does where cgo is at hand.
func dynamic(t *testing.T) bool {
	t.Helper()
	file, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}
