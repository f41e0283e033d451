package pipeline

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
)

// endless is a registry in front of another whose list of tags never ends; first is what it begins with.
func endless(t *testing.T, origin string, first *string) string {
	t.Helper()
	target, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/tags/list") {
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Link", "<"+r.URL.Path+`?last=a>; rel="next"`)
		fmt.Fprintf(w, `{"tags": ["a", %q]}`, *first)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// A repository with more tags than can be listed does not stop a run: a staging tag that is not found is made anew.
func TestStagingTagAmongTooManyTags(t *testing.T) {
	t.Parallel()
	signer, err := sign.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	first := "b"
	s := newStaged(t, endless(t, inProcess(t), &first), signer)
	manifest, err := s.registry.Manifest(t.Context(), s.subject)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{surroundings: s.surroundings, id: "20260101-000000-aaaa", key: opened(signer)}
	at := staged{subject: s.subject, manifest: manifest}

	made, written, err := r.stagingTag(t.Context(), at, standing{present: true})
	if err != nil || !written || !strings.HasPrefix(made, "staging-") {
		t.Fatalf("tag %q, written %t, error %v", made, written, err)
	}
	if digest, found, err := s.registry.Head(t.Context(), s.repository, made); err != nil || !found || digest != s.subject.Digest {
		t.Errorf("%s points to %q (%v)", made, digest, err)
	}

	first = made // what was read before the list went wrong is looked at
	r.id = "20260101-000000-bbbb"
	if again, written, err := r.stagingTag(t.Context(), at, standing{present: true}); err != nil || written || again != made {
		t.Errorf("the second time: tag %q, written %t, error %v; want %q once more", again, written, err, made)
	}
	if _, err := s.registry.Tags(t.Context(), s.repository); !errors.Is(err, registry.ErrTagsUnlisted) {
		t.Errorf("the registry's list ends: %v", err)
	}
}
