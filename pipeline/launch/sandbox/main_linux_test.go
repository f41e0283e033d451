package sandbox_test

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

var (
	work  string // folder for all tests
	quiet = log.New(io.Discard, "", 0)

	one  sync.Mutex
	kept *engine.Engine
)

// TestMain makes the test binary its own engine.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == engine.Verb {
		os.Exit(enginetest.Main(m))
	}
	var err error
	if work, err = os.MkdirTemp("", "hallmark-sandbox-"); err != nil {
		panic(err)
	}
	code := enginetest.Main(m)
	if kept != nil {
		_ = kept.Close()
	}
	_ = os.RemoveAll(work)
	os.Exit(code)
}

// shared is one engine for the tests that leave it whole.
func shared(t testing.TB) *engine.Engine {
	t.Helper()
	one.Lock()
	defer one.Unlock()
	if kept == nil {
		var err error
		if kept, err = engine.Start(t.Context(), engine.Options{Root: filepath.Join(work, "engine")}); err != nil {
			t.Fatal(err)
		}
	}
	return kept
}

func platform() string { return runtime.GOARCH }

// running names the processes of this machine in whose environment the entry stands, waiting a little for none.
func running(t testing.TB, entry string) (left []string) {
	t.Helper()
	for range 30 {
		left = nil
		for _, dir := range must(filepath.Glob("/proc/[0-9]*")) {
			environ, _ := os.ReadFile(filepath.Join(dir, "environ")) // of a process that ended meanwhile: nothing
			if slices.Contains(strings.Split(string(environ), "\x00"), entry) {
				cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
				left = append(left, strings.ReplaceAll(string(cmdline), "\x00", " "))
			}
		}
		if len(left) == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return left
}

// killEngine ends the engine on the folder, as the kernel would for want of memory.
func killEngine(t testing.TB, root string) {
	for _, dir := range must(filepath.Glob("/proc/[0-9]*")) {
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if !strings.HasSuffix(string(cmdline), "\x00"+engine.Verb+"\x00") {
			continue
		}
		for _, fd := range must(filepath.Glob(filepath.Join(dir, "fd", "*"))) {
			if file, _ := os.Readlink(fd); strings.HasPrefix(file, root+"/") {
				pid := must(strconv.Atoi(filepath.Base(dir)))
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Errorf("killing the engine: %v", err)
				}
				return
			}
		}
	}
	t.Error("there is no engine to kill")
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestEngineThatDiesIsNotTheImagesFault(t *testing.T) {
	t.Parallel()
	enginetest.NeedRoot(t)
	root := t.TempDir()
	e, err := engine.Start(t.Context(), engine.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	candidate, _ := push(t, image(t, variant{faux: "hang"}))
	time.AfterFunc(3*time.Second, func() { killEngine(t, root) })
	got, err := launch.Run(t.Context(), targetOn(t, e), launch.Spec{Subject: candidate, Profile: launch.Spark, Limits: limits, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict != verdict.Inconclusive {
		t.Errorf("verdict %s, code %s, reason %s", got.Verdict, got.Code, got.Reason)
	}
	if got.Elapsed() > 20*time.Second {
		t.Errorf("it took %s to notice", got.Elapsed())
	}
	t.Log(got.Code, got.Reason)
}
