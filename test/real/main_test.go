//go:build real

package real

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What all tests share; set by TestMain.
var (
	top      string // folder of the project
	work     string // folder for everything that the tests make
	program  string // the hallmark binary
	service  string // the static program of the small images
	keyFiles string // key pair of the tests, without .key and .pub
)

// password opens the key of the tests.
const password = "only for the tests"

func TestMain(m *testing.M) {
	code, err := prepare(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/real:", err)
		code = 1
	}
	os.Exit(code)
}

func prepare(m *testing.M) (code int, err error) {
	if os.Geteuid() != 0 {
		return 1, fmt.Errorf("these tests build images and start containers: run them as root")
	}
	syscall.Umask(0o022)
	if top, err = filepath.Abs("../.."); err != nil {
		return 1, err
	}
	if work, err = os.MkdirTemp(cmp.Or(os.Getenv("TMPDIR"), "/var/tmp"), "hallmark-real-"); err != nil { // gigabytes: /tmp may be memory
		return 1, err
	}
	defer os.RemoveAll(work)
	if program, err = binary(); err != nil {
		return 1, err
	}
	service = filepath.Join(work, "service")
	if err := compile(service, "./test/real/service"); err != nil {
		return 1, err
	}
	keyFiles = filepath.Join(work, "tests")
	made := exec.Command(program, "key", "new", "--out", keyFiles, "--password", "env:HALLMARK_TESTS_PASSWORD")
	made.Env = append(os.Environ(), "HALLMARK_TESTS_PASSWORD="+password)
	if out, err := made.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("making a key: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// binary is what is tested: HALLMARK_TEST_BINARY, an absolute path; else bin/hallmark, made anew when a source is younger.
func binary() (string, error) {
	if given := os.Getenv("HALLMARK_TEST_BINARY"); given != "" {
		return given, nil
	}
	built := filepath.Join(top, "bin", "hallmark")
	stale, err := older(built, "cmd", "pipeline", "policies", "go.mod")
	if err != nil || !stale {
		return built, err
	}
	fmt.Fprintln(os.Stderr, "bin/hallmark is older than its sources: building one for the tests")
	built = filepath.Join(work, "hallmark")
	return built, compile(built, "./cmd/hallmark")
}

// older says whether the file is missing or older than a source below the given paths.
func older(file string, sources ...string) (bool, error) {
	info, err := os.Stat(file)
	if os.IsNotExist(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	stale := false
	for _, source := range sources {
		err := filepath.WalkDir(filepath.Join(top, source), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
				return err
			}
			at, err := entry.Info()
			stale = stale || err == nil && at.ModTime().After(info.ModTime())
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return stale, nil
}

// compile builds one of the project's programs.
func compile(to, what string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, what)
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOEXPERIMENT=jsonv2", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", what, err, out)
	}
	return nil
}
