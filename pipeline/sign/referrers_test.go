package sign_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// answering is a registry whose answers to the referrers API are made by answer.
func answering(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, real http.Handler)) string {
	t.Helper()
	quiet := ggcr.Logger(log.New(io.Discard, "", 0))
	withAPI := ggcr.New(quiet, ggcr.WithReferrersSupport(true))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/referrers/") {
			answer(w, r, withAPI)
			return
		}
		withAPI.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// page answers with two entries at a time and a link to the next.
func page(link func(r *http.Request, from int) string) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, real http.Handler) {
		whole := httptest.NewRecorder()
		real.ServeHTTP(whole, r)
		var index v1.IndexManifest
		if json.Unmarshal(whole.Body.Bytes(), &index) != nil {
			http.Error(w, "no list", http.StatusInternalServerError)
			return
		}
		slices.SortFunc(index.Manifests, func(a, b v1.Descriptor) int { return strings.Compare(a.Digest.Hex, b.Digest.Hex) })
		from, _ := strconv.Atoi(r.URL.Query().Get("from"))
		rest := index.Manifests[min(from, len(index.Manifests)):]
		index.Manifests = rest[:min(2, len(rest))]
		if len(rest) > 2 {
			w.Header().Set("Link", fmt.Sprintf(`<%s>; rel="next"`, link(r, from+2)))
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		_ = json.NewEncoder(w).Encode(index)
	}
}

func TestReferrersAPI(t *testing.T) {
	t.Parallel()
	status := func(code int) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { http.Error(w, "{}", code) }
	}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"in pages":      page(func(r *http.Request, from int) string { return fmt.Sprintf("%s?from=%d", r.URL.Path, from) }),
		"not found":     status(http.StatusNotFound),
		"not allowed":   status(http.StatusMethodNotAllowed),
		"a bad request": status(http.StatusBadRequest),
		"a redirect": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, signer := newClient(t), newSigner(t)
			at := pushed(t, c, answering(t, answer), "spark")
			if err := signer.AttestAll(t.Context(), c, at, statements(t, at), sign.AttestOptions{Signature: true}); err != nil {
				t.Fatal(err)
			}
			if r := verify(t, c, at, sign.Policy{Keys: trusting(signer)}); len(r.Signatures) != 2 || len(r.Evidence) != 6 {
				t.Errorf("%d signatures, %d statements, rejected %+v", len(r.Signatures), len(r.Evidence), r.Rejected)
			}
		})
	}
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request, http.Handler)
		want   string
	}{
		"a page for people": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = w.Write([]byte("<html>")) }, "web page"},
		"an outage":         {status(http.StatusServiceUnavailable), "503"},
		"another host":      {page(func(*http.Request, int) string { return "https://elsewhere.example.com/list" }), "another host"},
		"a list without end": {func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Link", `<`+r.URL.Path+`>; rel="next"`)
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			_, _ = w.Write([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`))
		}, "more than 32 parts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, signer := newClient(t), newSigner(t)
			broken := false
			at := pushed(t, c, answering(t, func(w http.ResponseWriter, r *http.Request, real http.Handler) {
				if broken {
					tt.answer(w, r, real)
					return
				}
				real.ServeHTTP(w, r)
			}), "spark")
			for _, s := range []evidence.Statement{checked(t, at, time.Hour), launched(t, at, "a", time.Hour), launched(t, at, "b", time.Hour)} {
				if err := signer.Attest(t.Context(), c, s, sign.AttestOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			broken = true
			_, err := sign.Verify(t.Context(), c, at, sign.Policy{Keys: trusting(signer), Now: now})
			if err == nil || verdict.OfError(err) != verdict.Inconclusive || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an inconclusive error with %q", err, tt.want)
			}
		})
	}
}
