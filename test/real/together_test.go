//go:build real

package real

import (
	"slices"
	"testing"
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
