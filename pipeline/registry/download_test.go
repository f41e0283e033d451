package registry_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

func isBlob(req *http.Request) bool {
	return req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/")
}

// TestDownloadGoesOn: every download of a blob breaks off in the middle, three times, and arrives.
func TestDownloadGoesOn(t *testing.T) {
	t.Parallel()
	host := servers["embedded"](t)
	s := push(t.Context(), t, newClient(t, registry.Options{}), host+"/app", onDisk(t, 300_000, 1))
	injector := &faults.Injector{Faults: []faults.Fault{{At: 1, For: 3, Kind: faults.Truncated}}, Match: isBlob}
	seen := &notes{}
	img, err := newClient(t, registry.Options{Transport: injector}).Image(progress.With(t.Context(), seen), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(seen.String(), "closed the connection at ") {
		t.Errorf("notes: %q", seen)
	}
}

func TestDownloadGivesUp(t *testing.T) {
	t.Parallel()
	host := servers["embedded"](t)
	s := push(t.Context(), t, newClient(t, registry.Options{}), host+"/app", onDisk(t, 300_000, 1))
	injector := &faults.Injector{Faults: []faults.Fault{{At: 1, For: 1000, Kind: faults.Truncated}}, Match: isBlob}
	img, err := newClient(t, registry.Options{Transport: injector, MaxRetries: 2}).Image(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err == nil {
		t.Error("a download that broke off each time was taken for whole")
	}
}

// TestHostileManifests: whatever answers, the error says what is wrong, nothing large is read, and nobody blames the image.
func TestHostileManifests(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	answers := map[string]struct {
		handler http.HandlerFunc
		within  string
	}{
		"other bytes": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_, _ = io.WriteString(w, "{}")
		}, "what the registry sent has the digest sha256:44136fa3"},
		"web page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<html>sign in</html>")
		}, "the answer is a web page, not a manifest"},
		"web page as an error": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "<html>\x1b[31mno</html>")
		}, "with a web page instead of a registry's answer"},
		"control characters in an error": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, `{"errors":[{"code":"X","message":"a\u001b[31mb\nc"}]}`)
		}, "X ab c"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			block := make([]byte, 1<<20)
			for {
				n, err := w.Write(block)
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		}, "exceeds the limit of 4194304 bytes"},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := serve(t, answer.handler)
			s := subject.Subject{Repository: host + "/app", Digest: "sha256:" + strings.Repeat("ab", 32)}
			_, err := newClient(t, registry.Options{}).Manifest(t.Context(), s)
			if err == nil || !strings.Contains(err.Error(), answer.within) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("error %q, want %q in it", err, answer.within)
			}
		})
	}
	t.Cleanup(func() {
		if n := sent.Load(); n > 64<<20 {
			t.Errorf("%d bytes were read of an endless answer", n)
		}
	})
}

func TestHeadWithoutDigestHeader(t *testing.T) {
	t.Parallel()
	host := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		_, _ = io.WriteString(w, "{}")
	})
	digest, found, err := newClient(t, registry.Options{}).Head(t.Context(), host+"/app", "golden")
	if want := "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"; err != nil || !found || digest != want {
		t.Errorf("%s, found %v, error %v", digest, found, err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	client := newClient(t, registry.Options{})
	host := servers["go-containerregistry"](t)
	digest := "sha256:" + strings.Repeat("0f", 32)
	if s, err := client.Resolve(t.Context(), host+"/app@"+digest); err != nil || s.String() != host+"/app@"+digest {
		t.Errorf("%v, error %v", s, err)
	}
	for ref, code := range map[string]int{host + "/app:none": 3, host + "/App": 2, "": 2, host + "/app@sha256:12": 2, "a b": 2} {
		_, err := client.Resolve(t.Context(), ref)
		if got := exitCode(err); got != code {
			t.Errorf("%q: exit code %d (%v), want %d", ref, got, err, code)
		}
	}
	// What is wrong is told in words of this program, with what to write.
	for ref, says := range map[string]string{
		"https://" + host + "/app:1": "it has a scheme. Write " + host + "/app:1",
		host + "/Team/App:V1":        "no capitals. Write team/app",
		host + "/app@sha256:12":      "all 64 digits",
		host + "/":                   "write host/path:tag",
	} {
		if _, err := client.Resolve(t.Context(), ref); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "could not parse") || strings.Contains(err.Error(), "name.") {
			t.Errorf("%q: error is %v, want one that says %q", ref, err, says)
		}
	}
}

func ExampleClient_Head() {
	// A registry that is not there: the sentence says what was asked, of whom, why it failed and what to do.
	client, _ := registry.New(registry.Options{Transport: transport(func(*http.Request) (*http.Response, error) {
		return nil, io.ErrUnexpectedEOF
	}), MaxRetries: -1})
	_, _, err := client.Head(exampleContext, "registry.example.com/team/app", "golden")
	fmt.Println(err)
	// Output: looking up registry.example.com/team/app:golden: unexpected EOF. Check that the registry is up and can be reached from here, then run again
}
