//go:build real

package real

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// Two runs at once on one image: both end well, or one says that the other was quicker; golden is one of the two, with
// all its evidence.
func TestTogether(t *testing.T) {
	t.Parallel()
	registry := newFar(t, nil)
	for _, test := range []struct {
		name      string
		image     string
		homes     int
		sameBytes bool
	}{
		{"one home, two contents", "tiny", 1, false},
		{"one home, one content", "tiny", 1, true},
		{"two homes, two contents", registry.addr + "/two", 2, false},
		{"two homes, one content", registry.addr + "/one", 2, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			homes := []home{newHome(t), newHome(t)}
			if test.homes == 1 {
				homes[1] = homes[0]
			}
			projects := []string{
				tiny{image: test.image, stamp: "a"}.project(t),
				tiny{image: test.image, stamp: map[bool]string{true: "a", false: "b"}[test.sameBytes]}.project(t),
			}
			var calls []*call
			for i := range projects {
				calls = append(calls, homes[i].start(t, nil, "run", projects[i]))
			}
			var passed []string
			for i, c := range calls {
				switch o := c.end(t); o.code {
				case 0:
					passed = append(passed, o.report.Subject.Digest)
				case 4:
					t.Logf("run %d says conflict: %s", i, o.report.Headline)
				default:
					t.Errorf("run %d: %s", i, o)
				}
			}
			if len(passed) == 0 {
				t.Fatal("neither run ended well")
			}
			if test.sameBytes && len(passed) != 2 {
				t.Error("two runs of the same content cannot be in each other's way")
			}
			for _, h := range homes {
				v := verify(t, h, test.image+":golden", 0)
				if !slices.Contains(passed, v.Subject.Digest) {
					t.Errorf("golden is %s, the runs that ended well were about %v", v.Subject.Digest, passed)
				}
			}
		})
	}
}

// Two runs at once on one home, of one image, from one context that changes in between: they share engine, layout and
// registry. Each builds, scans and launches an image of its own, and both end well.
func TestTogetherFromOneContext(t *testing.T) {
	t.Parallel()
	h, project := newHome(t), tiny{stamp: "first", slow: true}.project(t)
	building := make(chan struct{})
	first := h.start(t, at(amidTheBuild, func(*call) { close(building) }), "run", project)
	select { // the engine has the whole context by then
	case <-building:
	case <-first.done:
		t.Fatalf("it ended before it built: %s", first.end(t))
	}
	if err := os.WriteFile(filepath.Join(project, "stamp"), []byte("second"), 0o644); err != nil {
		t.Fatal(err)
	}
	second := h.start(t, nil, "run", project)
	one, other := first.end(t).want(t, 0), second.end(t).want(t, 0)
	if one.report.Subject == other.report.Subject {
		t.Fatalf("two contents became one image, %s", one.report.Subject)
	}
	if !slices.ContainsFunc(other.events, func(e progress.Event) bool { return strings.HasPrefix(e.Text, "waiting up to 30m") }) {
		t.Error("the second run did not say that it waits, and for what")
	}
	for _, o := range []outcome{one, other} {
		v := verify(t, h, o.report.StagingTag, 0)
		if v.Subject != o.report.Subject {
			t.Errorf("%s holds %s, the run was about %s", o.report.StagingTag, v.Subject, o.report.Subject)
		}
	}
	if v := verify(t, h, "tiny:golden", 0); v.Subject != one.report.Subject && v.Subject != other.report.Subject {
		t.Errorf("golden is %s, which neither run made", v.Subject)
	}
	left, err := filepath.Glob(filepath.Join(h.dir, "layouts", "*", ".hallmark-candidates", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("candidates stay behind: %v %v", left, err)
	}
}
