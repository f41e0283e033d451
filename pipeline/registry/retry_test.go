package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// passingFaults are those that go by with patience.
var passingFaults = []faults.Kind{faults.RateLimit, faults.Unavailable, faults.ResetBefore, faults.ResetAfter, faults.Failed}

// TestPushOutlastsFaults pushes and pulls with a fault at each request in turn, over real connections: the whole must
// succeed, and whoever watches must be told why it took longer.
func TestPushOutlastsFaults(t *testing.T) {
	t.Parallel()
	for server, start := range servers {
		target := start(t)
		img := onDisk(t, 2000, 2)
		for _, kind := range passingFaults {
			for at := 1; at <= 12; at++ {
				t.Run(fmt.Sprintf("%s/%s/%d", server, kind, at), func(t *testing.T) {
					t.Parallel()
					injector := &faults.Injector{Faults: []faults.Fault{{At: at, For: 2, Kind: kind}}}
					proxy, err := faults.Proxy("http://"+target, injector)
					if err != nil {
						t.Fatal(err)
					}
					front := httptest.NewServer(proxy)
					t.Cleanup(front.Close)
					seen := &notes{}
					ctx := progress.With(t.Context(), seen)
					repository := fmt.Sprintf("%s/%s/%d", strings.TrimPrefix(front.URL, "http://"), strings.ToLower(string(kind)), at)
					client := newClient(t, registry.Options{Parallel: 1})
					s := push(ctx, t, client, repository, img)
					if err := client.Tag(ctx, s, "staging-1", registry.TagOptions{Owned: true, Manifest: img}); err != nil {
						t.Fatal(err)
					}
					digest, found, err := client.Head(ctx, repository, "staging-1")
					if err != nil || !found || digest != s.Digest {
						t.Fatalf("%s, found %v, error %v", digest, found, err)
					}
					if n := len(injector.Requests()); n >= at && !strings.Contains(seen.String(), "asking again in") {
						t.Errorf("nobody was told of the wait; notes: %q", seen)
					}
				})
			}
		}
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		fault  faults.Fault
		code   string
		within string // part of the message
	}{
		"rate limit": {faults.Fault{Kind: faults.RateLimit}, registry.CodeRateLimited, "429 Too Many Requests (after 3 tries)"},
		"asked to wait longer than we may": {
			faults.Fault{Kind: faults.RateLimit, RetryAfter: "3600"}, registry.CodeRateLimited, "Run again in 1h0m0s",
		},
		"outage":   {faults.Fault{Kind: faults.Unavailable}, registry.CodeUnavailable, "503 Service Unavailable"},
		"resets":   {faults.Fault{Kind: faults.ResetBefore}, registry.CodeUnreachable, "(after 3 tries)"},
		"web page": {faults.Fault{Kind: faults.WebPage}, registry.CodeAnswer, "the answer is a web page"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.fault.At, c.fault.For = 1, 1000
			client := newClient(t, registry.Options{Transport: &faults.Injector{Faults: []faults.Fault{c.fault}}, MaxRetries: 2})
			_, _, err := client.Head(t.Context(), "registry.example.com/app", "golden")
			wantError(t, err, c.code, c.within)
			if verdict.ExitCodeOf(err) != verdict.ExitInconclusive {
				t.Errorf("exit code %d", verdict.ExitCodeOf(err))
			}
		})
	}
}

func wantError(t *testing.T, err error, code, within string) {
	t.Helper()
	var e *verdict.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a *verdict.Error", err)
	}
	if e.Code != code || e.Verdict != verdict.Inconclusive || !strings.Contains(err.Error(), within) {
		t.Errorf("error %q with code %s and verdict %s; want code %s and %q", err, e.Code, e.Verdict, code, within)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func() string{
		"seconds": func() string { return "1" },
		"date":    func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := faults.Fault{At: 1, Kind: faults.RateLimit, RetryAfter: header()}
			next := transport(func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
			})
			seen := &notes{}
			client := newClient(t, registry.Options{Transport: &faults.Injector{Next: next, Faults: []faults.Fault{fault}}})
			started := time.Now()
			if _, _, err := client.Head(progress.With(t.Context(), seen), "registry.example.com/app", "golden"); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(started); waited < 900*time.Millisecond {
				t.Errorf("waited %s only", waited)
			}
			if !strings.Contains(seen.String(), "registry.example.com answered 429 Too Many Requests; asking again in") {
				t.Errorf("notes: %q", seen)
			}
		})
	}
}

// TestSharedTagIsWrittenOnce: the answer to the write of a tag that others write too was lost, and it is not repeated.
func TestSharedTagIsWrittenOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []faults.Kind{faults.ResetAfter, faults.Failed, faults.Unavailable, faults.ResetBefore} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			host := servers["embedded"](t)
			img := onDisk(t, 100, 1)
			s := push(t.Context(), t, newClient(t, registry.Options{}), host+"/app", img)
			injector := &faults.Injector{Faults: []faults.Fault{{At: 1, Kind: kind}}}
			err := newClient(t, registry.Options{Transport: injector}).Tag(t.Context(), s, "golden", registry.TagOptions{Manifest: img})
			if !errors.Is(err, registry.ErrUncertain) {
				t.Errorf("error %v, want one that is uncertain", err)
			}
			if n := len(injector.Requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestStandingStill(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	host := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	client := newClient(t, registry.Options{Idle: 50 * time.Millisecond, MaxRetries: 1})
	_, _, err := client.Head(t.Context(), host+"/app", "golden")
	wantError(t, err, registry.CodeUnreachable, "nothing moved for 50ms (after 2 tries)")
}
