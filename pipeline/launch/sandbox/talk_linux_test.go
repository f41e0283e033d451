package sandbox_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
)

// heard is what a program has written so far.
type heard struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (h *heard) Write(data []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.Write(data)
}

func (h *heard) waitFor(t *testing.T, text string) {
	t.Helper()
	for range 100 {
		h.mu.Lock()
		found := strings.Contains(h.all.String(), text)
		h.mu.Unlock()
		if found {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("it does not say %q: %s", text, h.all.String())
}

// talker is a launched cluster in which programs can be kept.
func talker(t *testing.T, variant variant, spec launch.Spec) launch.Talker {
	t.Helper()
	candidate, _ := push(t, image(t, variant))
	spec.Subject, spec.Profile, spec.Runtime, spec.Limits, spec.RunID = candidate, launch.Databricks, runtimeFolder(t), limits, "talk"
	spec.Timeout, spec.Deadline = time.Minute, time.Now().Add(2*time.Minute)
	cluster, err := target(t).Launch(t.Context(), spec)
	if cluster != nil {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
			defer cancel()
			if err := cluster.Terminate(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	talker, ok := cluster.(launch.Talker)
	if !ok {
		t.Fatal("it keeps no programs")
	}
	return talker
}

func TestTalk(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var stages []launch.Stage
	c := talker(t, variant{}, launch.Spec{
		Env: []string{"MORE=and more", "DB_CLUSTER_ID=mine"}, Conf: map[string]string{"spark.a": "b c", "spark.d": `e\f`},
		OnStage: func(stage launch.Stage, _ []launch.ScriptResult) {
			mu.Lock()
			defer mu.Unlock()
			stages = append(stages, stage)
		},
	})
	mu.Lock()
	if len(stages) != 3 || stages[0] != launch.StagePulled || stages[1] != launch.StageScripts || stages[2] != launch.StageDriver {
		t.Errorf("stages %v", stages)
	}
	mu.Unlock()
	if id, _ := c.Lookup("DB_CLUSTER_ID"); id != "mine" {
		t.Errorf("the cluster's id is %q", id)
	}
	if s := c.Survey(); s.Java != "/bin/java" || s.R != "" {
		t.Errorf("survey %+v", s)
	}
	h := &heard{}
	p, err := c.Talk(t.Context(), "echo", []string{"echo"}, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"one", "two"} {
		if _, err := io.WriteString(p, line+"\n"); err != nil {
			t.Fatal(err)
		}
		h.waitFor(t, "got "+line+" and more\n")
	}
	if err := p.Interrupt(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.waitFor(t, "interrupted\n")
	if _, err := io.WriteString(p, "three\n"); err != nil {
		t.Fatal(err)
	}
	h.waitFor(t, "got three")
	if err := p.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.waitFor(t, "no more\n")
	if _, err := io.WriteString(p, "four\n"); err == nil {
		t.Error("what has ended is written to")
	}
	select {
	case <-p.Ended():
	default:
		t.Error("it has not ended")
	}

	if err := c.Put(t.Context(), "/deep/er/script.sh", []byte("echo from a file\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(t.Context(), "/etc/passwd/none", nil); err == nil || !strings.Contains(err.Error(), "writing /etc/passwd/none in the container") {
		t.Errorf("a file below a file: %v", err)
	}
	again := &heard{}
	p, err = c.Talk(t.Context(), "bash", []string{"bash", "/deep/er/script.sh"}, again)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Ended()
	again.waitFor(t, "from a file\n")
	nothing := &heard{}
	if p, err = c.Talk(t.Context(), "nothing", []string{"no-such-command"}, nothing); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Ended():
	case <-time.After(20 * time.Second):
		t.Error("what could not be started has not ended")
	}
	if log, err := c.Logs(t.Context()); err != nil {
		t.Error(err)
	} else if text, _ := io.ReadAll(log); !strings.Contains(string(text), "[echo] got two") {
		t.Errorf("the log lacks it:\n%s", text)
	}
}

func TestTalkEndsWithTheContainer(t *testing.T) {
	t.Parallel()
	c := talker(t, variant{faux: "deaf"}, launch.Spec{})
	p, err := c.Talk(t.Context(), "echo", []string{"echo"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	gone := c.Gone()
	select {
	case <-gone:
		t.Fatalf("it is gone: %v", c.Why())
	case <-time.After(200 * time.Millisecond):
	}
	if err := c.Terminate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, ended := range map[string]<-chan struct{}{"the container": gone, "the program": p.Ended()} {
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("%s has not ended", what)
		}
	}
	if c.Why() == nil {
		t.Error("nobody knows why")
	}
	if _, err := io.WriteString(p, "x\n"); err == nil {
		t.Error("what has ended is written to")
	}
	if _, err := c.Talk(t.Context(), "echo", []string{"echo"}, io.Discard); err == nil {
		t.Error("a program was started in a container that is gone")
	}
}

// A program that does not listen to the end of its input is ended.
func TestTalkThatGoesOnIsEnded(t *testing.T) {
	t.Parallel()
	c := talker(t, variant{faux: "deaf"}, launch.Spec{})
	h := &heard{}
	p, err := c.Talk(t.Context(), "echo", []string{"echo"}, h)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(p, "one\n")
	h.waitFor(t, "got one")
	if err := p.End(t.Context()); err != nil {
		t.Error(err)
	}
}
