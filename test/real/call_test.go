//go:build real

package real

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// home is a HALLMARK_HOME with the projects that are run on it.
type home struct {
	dir string
	env []string // more for the program's environment
}

// newHome is a home that goes with the test, once nothing of it is in use any more.
func newHome(t *testing.T) home {
	t.Helper()
	dir, err := os.MkdirTemp(work, "home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("engine.log of the build:\n%s", tailOf(dir+"/engine/engine.log"))
			t.Logf("engine.log of the launch:\n%s", tailOf(dir+"/launch/engine.log"))
		}
		nothingLeft(t, home{dir: dir})
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("a home that cannot be removed: %v", err)
		}
	})
	return home{dir: dir}
}

func tailOf(path string) string {
	text, _ := os.ReadFile(path)
	return string(text[max(0, len(text)-2000):])
}

// call is one call of the program under way.
type call struct {
	cmd    *exec.Cmd
	killed atomic.Pointer[time.Time] // when a signal was first sent to it
	done   chan struct{}
	result outcome
}

// outcome is how a call ended.
type outcome struct {
	code    int // -1: killed
	stdout  []byte
	said    string // what it wrote to standard error besides progress
	events  []progress.Event
	took    time.Duration
	lasting time.Duration // from the signal to the end
	report  report.Report // of a run
}

// signal sends one to the program's process alone.
func (c *call) signal(s syscall.Signal) {
	now := time.Now()
	c.killed.CompareAndSwap(nil, &now)
	_ = c.cmd.Process.Signal(s)
}

// watcher sees the progress of a call while it runs.
type watcher func(*call, progress.Event)

// longest is how long any call may take: more is a hang.
const longest = 10 * time.Minute

// start calls the program on the home, with the tests' own key and the demonstration's database.
func (h home) start(t *testing.T, watch watcher, args ...string) *call {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	cmd := exec.CommandContext(ctx, program, append(args, "--progress", "json", "--output", "json")...)
	cmd.Dir = top
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "HALLMARK_") || strings.HasPrefix(entry, "DOCKER_") || strings.HasPrefix(entry, "BUILDKIT_")
	}),
		"HALLMARK_HOME="+h.dir, "HALLMARK_SIGN_KEY=file:"+keyFiles+".key", "HALLMARK_SIGN_PASSWORD=env:TESTS_PASSWORD", "TESTS_PASSWORD="+password,
		"HALLMARK_SCAN_DATABASE_FROM=demo", "DOCKER_CONFIG="+h.dir)
	cmd.Env = append(cmd.Env, h.env...)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &call{cmd: cmd, done: make(chan struct{})}
	started := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer cancel()
		defer close(c.done)
		var said strings.Builder
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var event progress.Event
			if json.Unmarshal(lines.Bytes(), &event) != nil || event.Kind == "" {
				said.WriteString(lines.Text() + "\n")
				continue
			}
			c.result.events = append(c.result.events, event)
			if watch != nil {
				watch(c, event)
			}
		}
		_ = cmd.Wait()
		c.result.code, c.result.stdout, c.result.said = cmd.ProcessState.ExitCode(), stdout.Bytes(), said.String()
		c.result.took = time.Since(started)
		if killed := c.killed.Load(); killed != nil {
			c.result.lasting = time.Since(*killed)
		}
		_ = json.Unmarshal(c.result.stdout, &c.result.report) // where it is a report
	}()
	return c
}

// end waits for the call.
func (c *call) end(t *testing.T) outcome {
	t.Helper()
	<-c.done
	o := c.result
	if o.took >= longest {
		t.Errorf("it hung: %s", o)
	}
	return o
}

// call calls the program and waits for its end.
func (h home) call(t *testing.T, args ...string) outcome {
	t.Helper()
	return h.start(t, nil, args...).end(t)
}

// want fails the test unless the call ended with the code.
func (o outcome) want(t *testing.T, code int) outcome {
	t.Helper()
	if o.code != code {
		t.Fatalf("exit code %d, want %d: %s", o.code, code, o)
	}
	t.Logf("exit code %d after %.1fs: %s", o.code, o.took.Seconds(), o.report.Headline)
	return o
}

// String is what one wants to know of a call that went wrong.
func (o outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "exit code %d after %.1fs\n%s\nnext: %s\n%s", o.code, o.took.Seconds(), o.report.Headline, o.report.Next, o.said)
	for _, step := range o.report.Steps {
		fmt.Fprintf(&b, "  %-8s %-12s %5.1fs %s%s\n", step.Name, step.State, step.Elapsed.Seconds(), step.Detail, step.Reason)
	}
	for _, finding := range o.report.Findings {
		if finding.Blocking {
			fmt.Fprintf(&b, "  %s: %s [%s]. %s\n", finding.ID, finding.Message, finding.Place, finding.Remedy)
		}
	}
	for _, launch := range o.report.Launches {
		fmt.Fprintf(&b, "  launch %s: %s\n%s\n", launch.Verdict, launch.Reason, launch.LogTail)
	}
	for _, event := range o.events[max(0, len(o.events)-15):] {
		fmt.Fprintf(&b, "  %s %s %s: %s %s\n", event.Time.Format("15:04:05.000"), event.Kind, event.Name, event.Text, event.Err)
	}
	return b.String()
}

// step is one step of a run's report.
func (o outcome) step(t *testing.T, name string) report.Step {
	t.Helper()
	for _, step := range o.report.Steps {
		if step.Name == name {
			return step
		}
	}
	t.Fatalf("the report has no step %s: %s", name, o)
	return report.Step{}
}

// at is a watcher that acts once, at the first event that matches.
func at(match func(progress.Event) bool, act func(*call)) watcher {
	over := false
	return func(c *call, event progress.Event) {
		if !over && match(event) {
			over = true
			act(c)
		}
	}
}

// begins matches the beginning of a step, or of a task whose name begins so.
func begins(name string) func(progress.Event) bool {
	return func(e progress.Event) bool { return e.Kind == progress.Started && strings.HasPrefix(e.Name, name) }
}
