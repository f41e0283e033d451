package databricks

import (
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// A workspace that falls silent while a command runs is not the image's fault, whoever's time is over first.
func TestSilentUnderACommand(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"the probe's time": 500 * time.Millisecond, "the launch's time": time.Minute, "refused, then silent": 500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := answer(hangs)
			if name == "refused, then silent" {
				first = says(500, "INTERNAL_ERROR", "oops")
			}
			s := newServer(t)
			s.commands = func(string, string) result { return result{kind: "text", polls: 1 << 30} }
			s.before(getStatus, func() {
				for range 50 {
					s.script(getStatus, first)
				}
				for _, request := range []string{getCluster, "POST /api/1.2/commands/cancel", "POST /api/1.2/contexts/destroy"} {
					for range 50 {
						s.script(request, hangs)
					}
				}
			})
			spec := testSpec(launch.Probe{Kind: launch.Python, Code: "1", Timeout: timeout})
			spec.Timeout = 2 * time.Second
			result := run(t, s.options(), spec)
			if result.Verdict != verdict.Inconclusive || result.Code != launch.CodeWorkspace || !strings.Contains(result.Reason, "stopped answering") {
				t.Errorf("%s (%s): %s", result.Verdict, result.Code, result.Reason)
			}
			if left := s.left(); len(left) > 0 {
				t.Errorf("clusters are left: %v", left)
			}
		})
	}
}

// A workspace that falls silent before a cluster runs is named as what the launch's time was spent on.
func TestSilentBeforeTheClusterRuns(t *testing.T) {
	t.Parallel()
	for _, request := range []string{"GET /api/2.1/clusters/spark-versions", getCluster} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			for range 50 {
				s.script(request, hangs)
			}
			spec := testSpec()
			spec.Timeout = lookWithin + 500*time.Millisecond
			result := run(t, s.options(), spec)
			if result.Verdict != verdict.Inconclusive || result.Code != launch.CodeWorkspace || !strings.Contains(result.Reason, "does not answer: it was silent for the last 1") || len(s.left()) > 0 {
				t.Errorf("%s (%s): %s", result.Verdict, result.Code, result.Reason)
			}
		})
	}
}
