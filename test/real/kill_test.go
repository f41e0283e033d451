//go:build real

package real

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// moments are the moments of a run at which the program is killed: every step's beginning, and some in between.
var moments = []string{
	"build", "read", "check", "scan", "upload", "stage", "launch", "start service on sandbox", "probe http", "take down", "promote",
}

// Killed at any moment, nothing of it stays behind, and the next run ends as if nothing had been.
func TestKilled(t *testing.T) {
	t.Parallel()
	undisturbed := newHome(t)
	reference := undisturbed.call(t, "run", tiny{}.project(t)).want(t, 0)
	isGolden(t, undisturbed, reference)
	for _, moment := range moments {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			h, project := newHome(t), tiny{}.project(t)
			cut := h.start(t, at(begins(moment), func(c *call) { c.signal(syscall.SIGKILL) }), "run", project).end(t)
			if cut.code != -1 {
				t.Fatalf("it was not killed: %s", cut)
			}
			nothingLeft(t, h)
			again := h.call(t, "run", project).want(t, 0)
			if again.report.Subject != reference.report.Subject {
				t.Errorf("the digest is %s, without the kill it was %s", again.report.Subject, reference.report.Subject)
			}
			v := isGolden(t, h, again)
			want := kinds(t, undisturbed, reference)
			if got := kindsOf(v); got != want {
				t.Errorf("evidence %s, without the kill it was %s", got, want)
			}
			oneStagingTag(t, h, moment)
		})
	}
}

// oneStagingTag fails the test if the run after the kill has left more tags than its own and golden, or uploads that
// nobody will end. A killed run may have left its own staging tag where it came that far; then it is used again.
func oneStagingTag(t *testing.T, h home, moment string) {
	t.Helper()
	entries, err := os.ReadDir(h.dir + "/registry/docker/registry/v2/repositories/tiny/_manifests/tags")
	if err != nil {
		t.Fatal(err)
	}
	staging := 0
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "staging-") {
			staging++
		}
	}
	if staging != 1 {
		t.Errorf("after a kill at %s there are %d staging tags, want the one: %v", moment, staging, entries)
	}
}

// A kill in the middle of a build step that takes a while, with its container running.
func TestKilledAmidABuildStep(t *testing.T) {
	t.Parallel()
	h, project := newHome(t), tiny{slow: true}.project(t)
	cut := h.start(t, at(amidTheBuild, func(c *call) { c.signal(syscall.SIGKILL) }), "run", project).end(t)
	if cut.code != -1 {
		t.Fatalf("it was not killed: %s", cut)
	}
	nothingLeft(t, h)
	isGolden(t, h, h.call(t, "run", project).want(t, 0))
}

// amidTheBuild matches when the build's slow step begins.
func amidTheBuild(e progress.Event) bool {
	return e.Kind == progress.Started && e.Step == "build" && strings.Contains(e.Name, "RUN")
}
