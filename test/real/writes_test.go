//go:build real

package real

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// fuse carries requests, and at the nth manifest that is written calls blow once the registry has it, before its answer
// goes back.
type fuse struct {
	mu    sync.Mutex
	count int
	at    int
	blow  func()
}

func (f *fuse) set(at int, blow func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count, f.at, f.blow = 0, at, blow
}

func (f *fuse) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/") {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.count++; f.count == f.at {
			f.blow()
		}
	}
	return resp, err
}

// tagged also stores evidence under cosign's older tags: more writes, and more to be left half done.
var tagged = append([]string{"--set", "sign.tags=true"}, noLaunch...)

// noLaunch leaves the launch out, and out of what a golden tag needs.
var noLaunch = []string{"--set", "launch=[]"}

// Killed right after each manifest that it writes: golden is untouched or has all its evidence, and the next run
// finishes the job. Here the registry is distribution's own.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	lit := &fuse{}
	registry, h := newFar(t, lit), newHome(t)
	var evidence string
	var attested int
	for n := 0; ; n++ {
		image := fmt.Sprintf("%s/tiny-%d", registry.addr, n)
		project := tiny{image: image, stamp: "writes"}.project(t)
		args := append([]string{"run", project}, tagged...)
		lit.set(0, nil)
		if n == 0 {
			o := h.call(t, args...).want(t, 0)
			evidence = kindsOf(isGolden(t, h, o, noLaunch...))
			asReported(t, o)
			attested = layersUnder(t, o.report.Subject, ".att")
			continue
		}
		running := make(chan *call, 1)
		lit.set(n, func() {
			c := <-running
			c.signal(syscall.SIGKILL)
			<-c.done
		})
		c := h.start(t, nil, args...)
		running <- c
		cut := c.end(t)
		if cut.code == 0 {
			if n < 8 {
				t.Errorf("a run writes %d manifests only", n-1)
			}
			t.Logf("killed after each of %d manifests", n-1)
			return
		}
		if cut.code != -1 {
			t.Fatalf("write %d: it was not killed: %s", n, cut)
		}
		lit.set(0, nil)
		if v := h.call(t, append([]string{"verify", "--key", keyFiles + ".pub", image + ":golden"}, noLaunch...)...); v.code == 1 {
			t.Errorf("write %d: golden moved before all its evidence was there: %s", n, v.stdout)
		}
		again := h.call(t, args...).want(t, 0)
		if got := kindsOf(isGolden(t, h, again, noLaunch...)); got != evidence {
			t.Errorf("write %d: evidence %s, without the kill it was %s", n, got, evidence)
		}
		if got := layersUnder(t, again.report.Subject, ".att"); got != attested {
			t.Errorf("write %d: %d statements under the .att tag, without the kill %d", n, got, attested)
		}
		if got := layersUnder(t, again.report.Subject, ".sig"); got != 1 {
			t.Errorf("write %d: %d signatures under the .sig tag, want one", n, got)
		}
	}
}

// layersUnder counts what one of cosign's tags holds.
func layersUnder(t *testing.T, s subject.Subject, suffix string) int {
	t.Helper()
	ref, err := name.ParseReference(s.Tagged(strings.Replace(s.Digest, ":", "-", 1) + suffix))
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(ref)
	if err != nil {
		t.Errorf("%s: %v", ref, err)
		return 0
	}
	layers, err := image.Layers()
	if err != nil {
		t.Error(err)
	}
	return len(layers)
}

// What is launched is pulled from the registry, and by digest: no step after the build takes a tag.
func TestLaunchPullsByDigest(t *testing.T) {
	t.Parallel()
	registry, h := newFar(t, nil), newHome(t)
	var before []string
	watch := at(begins("launch"), func(*call) { before = registry.injector.Requests() })
	o := h.start(t, watch, "run", tiny{image: registry.addr + "/tiny"}.project(t)).end(t).want(t, 0)
	isGolden(t, h, o)
	if before == nil {
		t.Fatalf("there was no launch: %s", o)
	}
	pulled := false
	for _, request := range registry.injector.Requests()[len(before):] {
		method, path, _ := strings.Cut(request, " ")
		_, ref, manifest := strings.Cut(path, "/manifests/")
		switch {
		case manifest && method == http.MethodGet && ref == o.report.Subject.Digest:
			pulled = true
		case manifest && method == http.MethodGet && !strings.HasPrefix(ref, "sha256:") && !strings.HasPrefix(ref, "sha256-"):
			t.Errorf("%s: a tag was read", request)
		}
	}
	if !pulled {
		t.Errorf("the image was not pulled by its digest: %s", strings.Join(registry.injector.Requests(), "\n"))
	}
	again := len(registry.writes())
	h.call(t, "run", o.report.Image).want(t, 2) // a folder is wanted, no image
	if n := len(registry.writes()); n != again {
		t.Errorf("%d writes of a run that could not begin", n-again)
	}
}

// The same run again writes nothing at all.
func TestAgainWritesNothing(t *testing.T) {
	t.Parallel()
	for _, tags := range []string{"false", "true"} {
		t.Run("tags "+tags, func(t *testing.T) { againWritesNothing(t, "--set", "sign.tags="+tags) })
	}
}

func againWritesNothing(t *testing.T, more ...string) {
	registry, h := newFar(t, nil), newHome(t)
	args := append([]string{"run", tiny{image: registry.addr + "/tiny"}.project(t)}, more...)
	first := h.call(t, args...).want(t, 0)
	registry.injector.Reset()
	second := h.call(t, args...).want(t, 0)
	allSkipped(t, second)
	if writes := registry.writes(); len(writes) > 0 {
		t.Errorf("the second run wrote:\n%s", strings.Join(writes, "\n"))
	}
	if got, want := kindsOf(isGolden(t, h, second)), kindsOf(isGolden(t, h, first)); got != want {
		t.Errorf("evidence %s, after the first run it was %s", got, want)
	}
}

// allSkipped fails the test unless every step of the run was skipped, and says why. Reading is no step of its own when
// neither gate asks.
func allSkipped(t *testing.T, o outcome) {
	t.Helper()
	for _, step := range o.report.Steps {
		if step.Name == "read" && step.State == "not reached" {
			continue
		}
		if step.State != "skipped" || step.Reason == "" {
			t.Errorf("step %s: %s %s %s", step.Name, step.State, step.Detail, step.Reason)
		} else {
			t.Logf("%s skipped: %s", step.Name, step.Reason)
		}
	}
	if slices.ContainsFunc(o.report.Golden, func(g golden) bool { return g.Move != "already there" }) {
		t.Errorf("golden: %+v", o.report.Golden)
	}
}
