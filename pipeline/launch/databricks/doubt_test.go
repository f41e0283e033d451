package databricks

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// A creation of which nobody knows whether it was heard is told with the way to look again.
func TestCreationInDoubt(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range mostRetries + 1 {
		s.script(postCreate, lost)
	}
	o := s.options()
	result := run(t, o, testSpec())
	said := false
	for _, event := range result.Events {
		said = said || strings.Contains(event.Text, "taking the cluster down") && strings.Contains(event.Text, "hallmark cleanup --run "+result.RunID)
	}
	if result.Verdict != verdict.Inconclusive || !said || len(s.order) != 0 {
		t.Errorf("%s: %s; %+v", result.Verdict, result.Reason, result.Events)
	}
	if len(result.Notes) != 1 || !strings.Contains(result.Notes[0], "one may still appear. Run hallmark cleanup --run "+result.RunID) {
		t.Errorf("notes %q", result.Notes)
	}
}

// A cluster that goes on after the launch is told in a note, with the way to end it, and no second one is started.
func TestClusterThatCannotBeDeleted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 200 {
		s.script(removal, says(500, "INTERNAL_ERROR", "oops"))
	}
	for range mostRetries + 1 {
		s.script(getStatus, says(500, "INTERNAL_ERROR", "oops")) // for which a fresh cluster would be tried
	}
	result := run(t, s.options(), testSpec(python("1", "100")))
	if result.Verdict != verdict.Inconclusive || len(s.order) != 1 || len(s.left()) != 1 {
		t.Errorf("%s after %d clusters: %s", result.Verdict, len(s.order), result.Reason)
	}
	want := "The cluster " + s.order[0] + " could not be deleted: deleting the cluster " + s.order[0] + ": the workspace answers with status 500 (INTERNAL_ERROR: oops). Run hallmark cleanup --run " + result.RunID + "; without that the workspace itself ends it after 30 minutes without work."
	if len(result.Notes) != 1 || result.Notes[0] != want {
		t.Errorf("notes %q, want %q", result.Notes, want)
	}
}

// Nothing is asked between an interrupt and the deletion: whoever interrupts may soon kill.
func TestInterruptDeletesFirst(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.lax = true
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.commands = func(string, string) result { return result{kind: "text", polls: 1 << 30} }
	target, err := New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	s.before(getStatus, cancel)
	if _, err := target.Run(ctx, testSpec(python("1", ""))); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	after := s.requests[slices.Index(s.requests, getStatus)+1:]
	if len(after) == 0 || after[0] != removal {
		t.Errorf("after the interrupt: %v", after)
	}
}

// A deletion is asked for again for as long as there is time: longer than any other request is.
func TestDeletionIsRepeated(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 2 * mostRetries {
		s.script(removal, says(500, "INTERNAL_ERROR", "oops"))
	}
	s.script(removal, says(429, "REQUEST_LIMIT_EXCEEDED", "slow down", "Retry-After", "3600"))
	o := s.options()
	o.wait = func(ctx context.Context, d time.Duration) error {
		if d > deletePause*5/4 {
			t.Errorf("waited for %s", d)
		}
		return pause.For(ctx, 0)
	}
	result := run(t, o, testSpec())
	if result.Verdict != verdict.Pass || len(s.left()) > 0 {
		t.Errorf("%s: %s; left %v", result.Verdict, result.Reason, s.left())
	}
}
