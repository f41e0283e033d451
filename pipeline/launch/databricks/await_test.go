package databricks

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestPausesGrow holds how often a workspace is asked: soon at first, then ever less often, for the cluster and for commands.
func TestPausesGrow(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.states = [][]string{append(slices.Repeat([]string{"PENDING"}, 6), "RUNNING")}
	s.commands = func(string, string) result { return result{kind: "text", data: "100", polls: 9} }
	o := s.options()
	var mu sync.Mutex
	var pauses []time.Duration
	o.wait = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		pauses = append(pauses, d.Round(time.Millisecond))
		return pause.For(ctx, 0)
	}
	if result := run(t, o, testSpec(python("1", "100"))); result.Verdict != verdict.Pass {
		t.Fatalf("%s: %s", result.Verdict, result.Reason)
	}
	const ms = time.Millisecond
	cluster := []time.Duration{250 * ms, 375 * ms, 563 * ms, 844 * ms, 1000 * ms, 1000 * ms}
	command := []time.Duration{50 * ms, 75 * ms, 113 * ms, 169 * ms, 253 * ms, 380 * ms, 570 * ms, 854 * ms, 1000 * ms}
	if len(pauses) < len(cluster) || !slices.Equal(pauses[:len(cluster)], cluster) {
		t.Errorf("while the cluster came up: %v, want %v", pauses, cluster)
	}
	if len(pauses) < len(command) || !slices.Equal(pauses[len(pauses)-len(command):], command) {
		t.Errorf("while a command ran: %v, want %v at the end", pauses, command)
	}
}

// TestStatesAreShown holds that whoever watches sees each state of the cluster as the workspace words it, once, while it
// lasts, and then the probe.
func TestStatesAreShown(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.states = [][]string{{"PENDING", "PENDING", "PENDING", "RUNNING"}}
	var shown recorder
	spec := testSpec(launch.Probe{Kind: launch.Python, Name: "counting", Code: "1"})
	if result := runShown(t, &shown, s.options(), spec); result.Verdict != verdict.Pass {
		t.Fatalf("%s: %s", result.Verdict, result.Reason)
	}
	text, at := shown.all.String(), 0
	for _, want := range []string{"whether it can be done", "start databricks on databricks", "cluster " + s.order[0], "PENDING: the message of PENDING", "RUNNING: the message of RUNNING", "probe counting", "take down " + s.order[0]} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("%q does not come next:\n%s", want, text)
		}
		at += i
	}
	if n := strings.Count(text, "PENDING: the message"); n != 1 {
		t.Errorf("a state that lasts is told %d times", n)
	}
}
