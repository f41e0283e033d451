package faults_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
)

// TestEachFault meets every fault through the proxy, at the second of three requests, over real connections.
func TestEachFault(t *testing.T) {
	t.Parallel()
	const path = "/v2/app/manifests/golden"
	cases := map[faults.Kind]struct {
		status int // 0: no answer
		body   string
		served int64 // how many of the three requests the registry saw
	}{
		faults.RateLimit:    {429, "TOOMANYREQUESTS", 2},
		faults.Unavailable:  {503, "UNAVAILABLE", 2},
		faults.Precondition: {412, "PRECONDITION_FAILED", 2},
		faults.WebPage:      {200, "Sign in", 2},
		faults.ResetBefore:  {0, "", 2},
		faults.ResetAfter:   {0, "", 3},
		faults.Failed:       {500, "", 3},
		faults.Stale:        {200, "answer 1", 2},
		faults.Truncated:    {200, "a", 3},
	}
	for kind, want := range cases {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			var served atomic.Int64
			registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "answer "+string('0'+rune(served.Add(1)))+strings.Repeat(".", 64<<10))
			}))
			t.Cleanup(registry.Close)
			injector := &faults.Injector{Faults: []faults.Fault{{At: 2, Kind: kind}}}
			proxy, err := faults.Proxy(registry.URL, injector)
			if err != nil {
				t.Fatal(err)
			}
			front := httptest.NewServer(proxy)
			t.Cleanup(front.Close)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			for n := 1; n <= 3; n++ {
				resp, err := client.Get(front.URL + path)
				if n != 2 {
					if err != nil || resp.StatusCode != http.StatusOK {
						t.Fatalf("request %d: %v, error %v", n, resp, err)
					}
					_ = resp.Body.Close()
					continue
				}
				if want.status == 0 {
					if !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("error %v, want a reset", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != want.status || !strings.Contains(string(body), want.body) {
					t.Errorf("%d %.40q, want %d %q", resp.StatusCode, body, want.status, want.body)
				}
				if (kind == faults.Truncated) != errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("reading the body: %v", err)
				}
			}
			if served.Load() != want.served {
				t.Errorf("the registry saw %d requests, want %d", served.Load(), want.served)
			}
			if got := injector.Requests(); !slices.Equal(got, []string{"GET " + path, "GET " + path, "GET " + path}) {
				t.Errorf("counted %q", got)
			}
		})
	}
	if len(cases) != len(faults.Kinds) {
		t.Errorf("%d of %d faults are tried", len(cases), len(faults.Kinds))
	}
}
