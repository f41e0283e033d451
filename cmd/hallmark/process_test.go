package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
)

// exits CODE PROGRAM ARGS…: the program ends with exactly this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := codeOf(ts, ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func codeOf(ts *testscript.TestScript, err error) int {
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) {
		return ended.ExitCode()
	}
	ts.Check(err)
	return 0
}

// started is a program that a script has running.
type started struct {
	cmd      *exec.Cmd
	out, err *spoken
	ended    chan struct{}
	how      error
}

// spoken is what a running program has written so far.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// patience bounds every wait of a script for something that comes at once on an idle machine.
const patience = 2 * time.Minute

// programs are those that a script has running, by name.
type programs map[string]*started

type programsKey struct{}

// start NAME REGEXP PROGRAM ARGS… runs a program until interrupt NAME; it returns when standard error or output matches. The
// first group, where there is one, becomes the variable NAME.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: start NAME REGEXP PROGRAM ARGS…")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	path, err := lookPath(ts, args[2])
	ts.Check(err)
	p := &started{cmd: exec.Command(path, args[3:]...), out: &spoken{}, err: &spoken{}, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = ts.MkAbs("."), environment(ts)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	ts.Check(p.cmd.Start())
	go func() { p.how = p.cmd.Wait(); close(p.ended) }()
	ts.Defer(func() { _ = p.cmd.Process.Kill(); <-p.ended })
	ts.Value(programsKey{}).(programs)[args[0]] = p
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if found := pattern.FindStringSubmatch(p.err.String() + p.out.String()); found != nil {
			if len(found) > 1 {
				ts.Setenv(args[0], found[1])
			}
			return
		}
		if p.over() || time.Now().After(deadline) {
			ts.Fatalf("%s never wrote %q; it wrote:\n%s%s", args[2], args[1], p.out, p.err)
		}
	}
}

func (p *started) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// interrupt NAME CODE presses Ctrl-C: the program must end within ten seconds, with this exit code.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: interrupt NAME CODE")
	}
	p := find(ts, args[0])
	ts.Check(p.cmd.Process.Signal(os.Interrupt))
	ends(ts, p, 10*time.Second, args[1])
}

// killprogram NAME ends a program as the kernel would, without a word.
func killProgram(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: killprogram NAME")
	}
	p := find(ts, args[0])
	ts.Check(p.cmd.Process.Kill())
	select {
	case <-p.ended:
	case <-time.After(patience):
		ts.Fatalf("%s outlived SIGKILL", p.cmd)
	}
}

// ends waits for a program and looks at how it ended.
func ends(ts *testscript.TestScript, p *started, within time.Duration, code string) {
	begun := time.Now()
	select {
	case <-p.ended:
	case <-time.After(within):
		ts.Fatalf("%s has not ended after %s; it wrote:\n%s%s", p.cmd, within, p.out, p.err)
	}
	ts.Logf("ended after %s", time.Since(begun).Round(10*time.Millisecond))
	_, _ = ts.Stdout().Write([]byte(p.out.String()))
	_, _ = ts.Stderr().Write([]byte(p.err.String()))
	if got := strconv.Itoa(codeOf(ts, p.how)); got != code {
		ts.Fatalf("exit code %s, want %s; it wrote:\n%s%s", got, code, p.out, p.err)
	}
}

func find(ts *testscript.TestScript, name string) *started {
	p := ts.Value(programsKey{}).(programs)[name]
	if p == nil {
		ts.Fatalf("%s was never started", name)
	}
	return p
}

// killengine NAME CODE ends the engine below a running program as the kernel would for want of memory; the program
// must end with this exit code.
func killEngine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: killengine NAME CODE")
	}
	p := find(ts, args[0])
	parent := strconv.Itoa(p.cmd.Process.Pid)
	for _, other := range processes() {
		if other.parent == parent && strings.HasSuffix(other.cmdline, engine.Verb) {
			ts.Check(syscall.Kill(other.pid, syscall.SIGKILL))
			ends(ts, p, patience, args[1])
			return
		}
	}
	ts.Fatalf("%s has no engine", args[0])
}

// noneleft [WORD]: no process of this script is left, and none that WORD was given to. A process that is about to end
// gets a moment.
func noneLeft(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: noneleft [WORD]")
	}
	marks := append([]string{ts.Getenv("WORK")}, args...)
	var left []string
	for range 20 {
		left = nil
		for _, p := range processes() {
			for _, mark := range marks {
				if strings.Contains(p.cmdline, mark) || strings.Contains(p.environ, mark) {
					left = append(left, strconv.Itoa(p.pid)+" "+p.cmdline)
				}
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("still running:\n%s", strings.Join(left, "\n"))
}

type process struct {
	pid                      int
	parent, cmdline, environ string
}

// processes are all of this machine that may be looked at, but for this one. One that ends meanwhile is left out.
func processes() (all []process) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(folder))
		cmdline, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		if err != nil || len(cmdline) == 0 || pid == os.Getpid() {
			continue // a zombie has no command line any more
		}
		environ, _ := os.ReadFile(filepath.Join(folder, "environ"))
		stat, _ := os.ReadFile(filepath.Join(folder, "stat"))
		p := process{pid: pid, cmdline: strings.TrimSpace(strings.ReplaceAll(string(cmdline), "\x00", " ")), environ: string(environ)}
		if _, rest, found := strings.Cut(string(stat), ") "); found { // pid (name) state parent
			if fields := strings.Fields(rest); len(fields) > 1 {
				p.parent = fields[1]
			}
		}
		all = append(all, p)
	}
	return all
}

// passed are the variables that programs in the background get of the script's.
var passed = []string{
	"PATH", "HOME", "WORK", "TMPDIR", "HALLMARK_HOME", "HALLMARK_SCAN_DATABASE_FROM", "KEY_PASSWORD",
	"GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "RUNNER_TEMP", "INPUT_SET",
}

func environment(ts *testscript.TestScript) (env []string) {
	for _, name := range passed {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

func lookPath(ts *testscript.TestScript, program string) (string, error) {
	for _, folder := range filepath.SplitList(ts.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}
