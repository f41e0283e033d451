package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// parentVariable makes the test binary a parent that is to be killed; its value is the engine's folder.
const parentVariable = "HALLMARK_TEST_PARENT"

func TestMain(m *testing.M) {
	if root := os.Getenv(parentVariable); root != "" && len(os.Args) < 3 {
		parentToKill(root, os.Args[1])
	}
	os.Exit(enginetest.Main(m))
}

func fmtSscan(text string, into *int) (int, error) { return fmt.Sscan(text, into) }

func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

// commands are the command lines of all processes.
func commands() []string {
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		out = append(out, strings.Join(strings.Split(strings.TrimRight(string(text), "\x00"), "\x00"), " "))
	}
	return out
}

// groups are the control groups that an engine on root has made.
func groups(t testing.TB, root string) []string {
	t.Helper()
	found, err := filepath.Glob("/sys/fs/cgroup/*/" + engine.GroupName(root))
	if err != nil {
		t.Fatal(err)
	}
	unified, _ := filepath.Glob("/sys/fs/cgroup/" + engine.GroupName(root))
	return append(found, unified...)
}

// parentToKill starts an engine with a container that minds nothing, says so, and waits for its end.
func parentToKill(root, tool string) {
	e, err := engine.Start(context.Background(), engine.Options{Root: root})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	box, err := e.Sandbox(engine.Limits{Memory: 1 << 30, PIDs: 100}, nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	err = inBox(context.Background(), e, tool, func(ctx context.Context, c gateway.Container) error {
		process, err := c.Start(ctx, gateway.StartRequest{Args: []string{"/tool", "stubborn", "777"}, Env: []string{box.Env()}, Cwd: "/", Stdout: &output{}})
		if err != nil {
			return err
		}
		fmt.Println("ready", e.Process())
		return process.Wait()
	})
	fmt.Println(err)
	os.Exit(1)
}

func TestEngineAnswers(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	workers, err := e.Client().ListWorkers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(workers) != 1 || e.Kind() != engine.Embedded || !strings.HasPrefix(e.Reason(), "the embedded engine (") {
		t.Errorf("%d workers on %s, %s", len(workers), e.Kind(), e.Reason())
	}
}

func TestKilledParentLeavesNothing(t *testing.T) {
	t.Parallel()
	enginetest.NeedRoot(t)
	root := t.TempDir()
	parent := exec.Command(os.Args[0], enginetest.Tool(t))
	parent.Env = append(os.Environ(), parentVariable+"="+root)
	parent.Stderr = os.Stderr
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var word string
	var process int
	if _, err := fmt.Fscan(stdout, &word, &process); err != nil || word != "ready" {
		t.Fatalf("the parent says %q: %v", word, err)
	}
	waitFor(t, "the container to run", func() bool { return slices.Contains(commands(), "/tool stubborn 777") })
	if len(groups(t, root)) == 0 {
		t.Error("the engine's control groups are not where this test looks for them")
	}

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitFor(t, "engine and container to be gone", func() bool {
		_, err := os.Stat("/proc/" + strconv.Itoa(process))
		return errors.Is(err, os.ErrNotExist) && !slices.Contains(commands(), "/tool stubborn 777")
	})
	if found := mountsBelow(root); len(found) > 0 {
		t.Errorf("mounts are left: %q", found)
	}

	// The next engine on the same folder starts at once, and sweeps the control groups.
	e, err := engine.Start(t.Context(), engine.Options{Root: root, LockWait: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if found := groups(t, root); len(found) > 0 {
		t.Errorf("control groups are left: %q", found)
	}
	if out, code := run(t, e, nil, "echo", "again"); out != "again\n" || code != 0 {
		t.Errorf("after the sweep: %q, %d", out, code)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// mountsBelow looks into the mounts of every process there is.
func mountsBelow(root string) []string {
	var out []string
	files, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, root) {
				out = append(out, file+": "+line)
			}
		}
	}
	return out
}

func TestDeadEngineIsBlamed(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	out := &output{}
	err := inBox(t.Context(), e, enginetest.Tool(t), func(ctx context.Context, c gateway.Container) error {
		process, err := c.Start(ctx, gateway.StartRequest{Args: []string{"/tool", "stubborn", "666"}, Cwd: "/", Stdout: out})
		if err != nil {
			return err
		}
		waitFor(t, "the container to run", func() bool { return out.String() != "" })
		if err := syscall.Kill(e.Process(), syscall.SIGKILL); err != nil {
			return err
		}
		return process.Wait()
	})
	var found *verdict.Error
	if !errors.As(e.Blame(err), &found) || found.Verdict != verdict.Inconclusive || found.Code != "engine.died" {
		t.Fatalf("a dead engine gives %v", e.Blame(err))
	}
	if !strings.Contains(found.Error(), "signal: killed") {
		t.Errorf("the message does not say how it died: %v", found)
	}
	waitFor(t, "the container to be gone", func() bool { return !slices.Contains(commands(), "/tool stubborn 666") })
}

func TestCloseTakesContainersDown(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	e := enginetest.StartWith(t, engine.Options{Root: root})
	out := &output{}
	ended := make(chan error, 1)
	go func() {
		ended <- inBox(t.Context(), e, enginetest.Tool(t), func(ctx context.Context, c gateway.Container) error {
			process, err := c.Start(ctx, gateway.StartRequest{Args: []string{"/tool", "stubborn", "555"}, Cwd: "/", Stdout: out})
			if err != nil {
				return err
			}
			return process.Wait()
		})
	}()
	waitFor(t, "the container to run", func() bool { return out.String() != "" })
	started := time.Now()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > 8*time.Second {
		t.Errorf("closing took %s", took)
	}
	if found := groups(t, root); len(found) > 0 {
		t.Errorf("control groups are left: %q", found)
	}
	if slices.Contains(commands(), "/tool stubborn 555") {
		t.Error("the container outlived its engine")
	}
	if err := <-ended; err == nil {
		t.Error("a container of a closed engine ended well")
	}
}

func TestSecondEngineWaits(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	first := enginetest.StartWith(t, engine.Options{Root: root})
	_, err := engine.Start(t.Context(), engine.Options{Root: root, LockWait: 300 * time.Millisecond})
	var found *verdict.Error
	if !errors.As(err, &found) || found.Code != "engine.busy" || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Fatalf("a second engine on the folder gives %v", err)
	}
	time.AfterFunc(300*time.Millisecond, func() { _ = first.Close() })
	second, err := engine.Start(t.Context(), engine.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestStartHonorsCancel(t *testing.T) {
	t.Parallel()
	enginetest.NeedRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engine.Start(ctx, engine.Options{Root: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled start gives %v", err)
	}
}

func TestStartNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	enginetest.NeedRoot(t)
	tests := map[string]struct {
		options engine.Options
		want    string
	}{
		"runtime":     {engine.Options{Runtime: "/no/such/runc"}, "the OCI runtime /no/such/runc"},
		"ca":          {engine.Options{CABundle: "/no/such.pem"}, "the certificates for build steps"},
		"snapshotter": {engine.Options{Snapshotter: "zfs"}, "neither overlayfs nor native"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.options.Root = t.TempDir()
			_, err := engine.Start(t.Context(), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}
