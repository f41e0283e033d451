//go:build real

package real

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// grace is how long an interrupted run may take to take everything down.
const grace = 10 * time.Second

// interrupted fails the test unless the call ended in time, as interrupted, and left nothing.
func interrupted(t *testing.T, h home, o outcome) {
	t.Helper()
	o.want(t, 130)
	if o.lasting > grace {
		t.Errorf("it took %s to end: %s", o.lasting, o)
	}
	t.Logf("ended %s after the signal: %s", o.lasting.Round(10*time.Millisecond), o.report.Headline)
	if !strings.Contains(strings.ToLower(o.report.Headline), "interrupted") {
		t.Errorf("headline %q: %s", o.report.Headline, o)
	}
	if left := leftOf(h); len(left) > 0 { // not within some seconds: when it has ended
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, moment := range map[string]func(progress.Event) bool{
		"amid a build step": amidTheBuild,
		"amid the launch":   begins("probe run"),
		"at the upload":     begins("upload"),
		"at the promotion":  begins("promote"),
	} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			if signal == syscall.SIGTERM && !strings.HasPrefix(name, "amid") {
				continue
			}
			t.Run(name+", "+signal.String(), func(t *testing.T) {
				t.Parallel()
				image := tiny{slow: strings.Contains(name, "build")}
				if strings.Contains(name, "launch") {
					image.probe = longProbe
				}
				h, project := newHome(t), image.project(t)
				soon := func(c *call) {
					go func() {
						if strings.HasPrefix(name, "amid") {
							time.Sleep(time.Second)
						}
						c.signal(signal)
					}()
				}
				o := h.start(t, at(moment, soon), "run", project).end(t)
				if !strings.HasPrefix(name, "amid") && o.code == 0 {
					t.Skipf("the run was through before the signal came")
				}
				interrupted(t, h, o)
				isGolden(t, h, h.call(t, "run", project).want(t, 0))
			})
		}
	}
}
