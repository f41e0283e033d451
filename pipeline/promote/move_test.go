package promote_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/promote"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestThreeRequests(t *testing.T) {
	onEach(t, true, func(t *testing.T, _ string, g *golden) {
		counter := &faults.Injector{}
		record, err := promote.Move(t.Context(), newClient(t, counter, 0), g.request())
		if err != nil {
			t.Fatal(err)
		}
		path := " /v2/team/app/manifests/" + g.tag
		if got, want := counter.Requests(), []string{"HEAD" + path, "PUT" + path, "HEAD" + path}; !slices.Equal(got, want) {
			t.Errorf("requests %q, want %q", got, want)
		}
		if record.From != g.before.Digest || record.To != g.after.Digest || record.Outcome != promote.Moved || record.By != "tester" {
			t.Errorf("record %+v", record)
		}
		if now := g.now(t); now != g.after.Digest {
			t.Errorf("golden is %s", now)
		}
	})
}

func TestNothingWrittenWhenEqual(t *testing.T) {
	onEach(t, true, func(t *testing.T, _ string, g *golden) {
		request := g.request()
		request.Subject, request.Manifest = g.before, nil
		request.Expect = g.after.Digest // even where another digest was expected: the tag is as it should be
		counter := &faults.Injector{}
		record, err := promote.Move(t.Context(), newClient(t, counter, 0), request)
		if err != nil || record.Outcome != promote.Unchanged {
			t.Fatalf("record %+v, error %v", record, err)
		}
		if got := counter.Requests(); len(got) != 1 {
			t.Errorf("requests %q, want one HEAD", got)
		}
	})
}

func TestNewTag(t *testing.T) {
	onEach(t, false, func(t *testing.T, _ string, g *golden) {
		request := g.request()
		request.Expect = promote.Absent
		record, err := promote.Move(t.Context(), newClient(t, nil, 0), request)
		if err != nil || record.From != "" || g.now(t) != g.after.Digest {
			t.Fatalf("record %+v, error %v", record, err)
		}
		request.Subject, request.Manifest = g.before, nil
		if _, err := promote.Move(t.Context(), newClient(t, nil, 0), request); !errors.Is(err, verdict.ErrConflict) {
			t.Fatalf("error %v, want a conflict: the tag is there now", err)
		}
	})
}

// TestEveryFaultAtEveryRequest is the promise of the package: whatever happens at whichever request, golden is moved or
// untouched, no success is claimed that is none, and a second run finishes; between them they hand out the record.
func TestEveryFaultAtEveryRequest(t *testing.T) {
	t.Parallel()
	for server, start := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			shared := newStore(t, start(t))
			eachFault(func(name string, present bool, retries int, fault faults.Fault) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					tryFault(t, shared.golden(t, present), retries, fault)
				})
			})
		})
	}
}

// eachFault lists every fault, once and for good, at every request that a promotion may make.
func eachFault(do func(name string, present bool, retries int, fault faults.Fault)) {
	for _, present := range []bool{true, false} {
		for _, retries := range []int{-1, 2} {
			for _, kind := range faults.Kinds {
				for at := 1; at <= 4; at++ {
					for _, length := range []int{1, 20} {
						name := fmt.Sprintf("present=%v/retries=%d/%s/at=%d/for=%d", present, retries, kind, at, length)
						do(name, present, retries, faults.Fault{At: at, For: length, Kind: kind})
					}
				}
			}
		}
	}
}

func tryFault(t *testing.T, g *golden, retries int, fault faults.Fault) {
	t.Helper()
	request := g.request()
	injector := &faults.Injector{Faults: []faults.Fault{fault}}
	first, err := promote.Move(t.Context(), newClient(t, injector, retries), request)
	now := g.now(t)
	if now != g.after.Digest && now != g.beforeDigest() {
		t.Fatalf("golden is %q: neither what it was nor what it should become", now)
	}
	if err == nil && now != g.after.Digest {
		t.Fatalf("success was claimed, but golden is %s", now)
	}
	if err != nil && verdict.OfError(err) == verdict.Fail {
		t.Fatalf("the image is blamed: %v", err)
	}
	second, again := promote.Move(t.Context(), newClient(t, nil, retries), request)
	if again != nil {
		t.Fatalf("the second run failed as well: %v (the first: %v)", again, err)
	}
	if now := g.now(t); now != g.after.Digest {
		t.Fatalf("after the second run golden is %s", now)
	}
	record := second
	if err == nil && first.Outcome != promote.Unchanged {
		record = first
	}
	if record.From != g.beforeDigest() || record.To != g.after.Digest || record.Outcome == promote.Unchanged {
		t.Errorf("no run handed out the record of the move: first %+v (%v), second %+v", first, err, second)
	}
	if err := promote.Settle(request.Journal, record); err != nil {
		t.Error(err)
	}
	if third, err := promote.Move(t.Context(), newClient(t, nil, retries), request); err != nil || third.Outcome != promote.Unchanged {
		t.Errorf("after settling: %+v, %v", third, err)
	}
}

// TestKilled ends the promoting goroutine at a request, as a kill ends a process: nothing after it runs.
func TestKilled(t *testing.T) {
	t.Parallel()
	for server, start := range servers {
		shared := newStore(t, start(t))
		for at := 1; at <= 3; at++ {
			for _, when := range []string{"before", "after"} {
				t.Run(fmt.Sprintf("%s/%d-%s", server, at, when), func(t *testing.T) {
					t.Parallel()
					g := shared.golden(t, true)
					request := g.request()
					done := make(chan struct{})
					go func() {
						defer close(done)
						_, _ = promote.Move(t.Context(), newClient(t, &killer{at: at, after: when == "after"}, -1), request)
						t.Error("the promotion survived")
					}()
					<-done
					record, err := promote.Move(t.Context(), newClient(t, nil, -1), request)
					if err != nil || g.now(t) != g.after.Digest {
						t.Fatalf("record %+v, error %v, golden %s", record, err, g.now(t))
					}
					if record.From != g.before.Digest || record.Outcome == promote.Unchanged {
						t.Errorf("the record of the move is lost: %+v", record)
					}
				})
			}
		}
	}
}

// killer ends the goroutine that makes the request at which it strikes.
type killer struct {
	at    int
	after bool
	seen  int
}

func (k *killer) RoundTrip(req *http.Request) (*http.Response, error) {
	k.seen++
	if k.seen == k.at && !k.after {
		runtime.Goexit()
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if k.seen == k.at {
		runtime.Goexit()
	}
	return resp, err
}

func TestSomeoneElseIsQuicker(t *testing.T) {
	t.Parallel()
	for server, start := range servers {
		shared := newStore(t, start(t))
		for at := 1; at <= 3; at++ {
			t.Run(fmt.Sprintf("%s/before request %d", server, at), func(t *testing.T) {
				t.Parallel()
				g := shared.golden(t, true)
				injector := &faults.Injector{Faults: []faults.Fault{{At: at, Kind: faults.Hook, Do: func() { g.moveTo(t, g.other) }}}}
				request := g.request()
				request.Expect = g.before.Digest
				_, err := promote.Move(t.Context(), newClient(t, injector, -1), request)
				now := g.now(t)
				switch {
				case err == nil && now == g.after.Digest:
					// Between HEAD and PUT only If-Match could have told; the embedded registry honours it.
					if at != 2 || server == "embedded" {
						t.Errorf("the other's move was overwritten unnoticed")
					}
				case errors.Is(err, verdict.ErrConflict) && now == g.other.Digest:
					if verdict.ExitCodeOf(err) != verdict.ExitConflict {
						t.Errorf("exit code %d", verdict.ExitCodeOf(err))
					}
				default:
					t.Errorf("golden %s, error %v", now, err)
				}
			})
		}
	}
}

func TestEarlierMoveIsReported(t *testing.T) {
	t.Parallel()
	g := newStore(t, servers["embedded"](t)).golden(t, true)
	request := g.request()
	if _, err := promote.Move(t.Context(), newClient(t, nil, 0), request); err != nil {
		t.Fatal(err)
	}
	// The run ended here, before its record was stored; the next one promotes another image.
	next := request
	next.Subject, next.Manifest = g.other, nil
	record, err := promote.Move(t.Context(), newClient(t, nil, 0), next)
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Earlier) != 1 || record.Earlier[0].From != g.before.Digest || record.Earlier[0].To != g.after.Digest {
		t.Errorf("earlier %+v", record.Earlier)
	}
	if err := promote.Settle(request.Journal, record); err != nil {
		t.Fatal(err)
	}
	if record, err := promote.Move(t.Context(), newClient(t, nil, 0), next); err != nil || len(record.Earlier) != 0 {
		t.Errorf("after settling: %+v, %v", record, err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	g := newStore(t, servers["embedded"](t)).golden(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	injector := &faults.Injector{Faults: []faults.Fault{{At: 3, Kind: faults.Hook, Do: cancel}}}
	_, err := promote.Move(ctx, newClient(t, injector, 2), g.request())
	if verdict.ExitCodeOf(err) != verdict.ExitInterrupted {
		t.Errorf("exit code %d for %v", verdict.ExitCodeOf(err), err)
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	g := newStore(t, servers["embedded"](t)).golden(t, true)
	for name, change := range map[string]func(*promote.Request){
		"no tag":        func(r *promote.Request) { r.Tag = "" },
		"tag with path": func(r *promote.Request) { r.Tag = "a/b" },
		"bad digest":    func(r *promote.Request) { r.Subject.Digest = "sha256:12" },
		"bad expected":  func(r *promote.Request) { r.Expect = "golden" },
		"other's bytes": func(r *promote.Request) { r.Subject = g.other },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := g.request()
			change(&request)
			if _, err := promote.Move(t.Context(), newClient(t, nil, 0), request); err == nil {
				t.Error("no error")
			}
			if now := g.now(t); now != g.before.Digest {
				t.Errorf("golden is %s", now)
			}
		})
	}
}

var _ promote.Registry = (*registry.Client)(nil)

const tick = time.Millisecond
