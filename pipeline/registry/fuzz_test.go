package registry

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzChallenges(f *testing.F) {
	for _, seed := range []string{
		`Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push"`,
		`Basic realm="x"`, `Negotiate, Basic realm=x, charset="UTF-8"`, `Bearer realm="a\"b\\`, `=,==`, `Bearer =x`, "\x00", `a b=c d e="f`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		for _, c := range parseChallenges(header) {
			if c.scheme == "" || c.scheme != strings.ToLower(c.scheme) || c.parameters == nil {
				t.Errorf("%q: challenge %+v", header, c)
			}
		}
		if c := pickChallenge([]string{header}); c != nil && c.scheme != "bearer" && c.scheme != "basic" {
			t.Errorf("%q: picked %+v", header, c)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"0", "120", "-5", "99999999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "soon", ""} {
		f.Add(seed)
	}
	now := time.Date(2026, 10, 21, 7, 27, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		if wait := parseRetryAfter(header, now); wait < 0 {
			t.Errorf("%q: %s", header, wait)
		}
	})
}

// FuzzReference feeds names to everything that takes them apart: no panic, and nothing gets out of its place in a URL.
func FuzzReference(f *testing.F) {
	for _, seed := range [][2]string{
		{"registry.example.com/team/app", "golden"},
		{"127.0.0.1:5000/a", "v1.2-3"},
		{"app", "latest"},
		{"[::1]:5000/a", "x"},
		{"h/../x", "y"},
		{"h/a?b=c", "z"},
		{"h/a", "x/../../y"},
		{"h/a", "a@sha256:b"},
		{"h/a", "a:b"},
		{"", ""},
		{"h%2f/a", "x"},
	} {
		f.Add(seed[0], seed[1])
	}
	client, err := New(Options{Transport: noNetwork{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, repository, tag string) {
		parsed, err := client.tag(repository, tag)
		if err != nil {
			return
		}
		if parsed.TagStr() != tag || strings.ContainsAny(tag, "/:@?#% ") {
			t.Errorf("%q was taken for the tag %q", tag, parsed.TagStr())
		}
		path := "/v2/" + parsed.RepositoryStr() + "/manifests/" + tag
		if gotRepository, gotTag := tagPath(path); gotRepository != parsed.RepositoryStr() || gotTag != tag {
			t.Errorf("%s was split into %q and %q", path, gotRepository, gotTag)
		}
		if got := repositoryOf(path); got != parsed.RepositoryStr() {
			t.Errorf("%s belongs to %q", path, got)
		}
		if strings.Contains(path, "..") && strings.Contains(path, "/../") {
			t.Errorf("%q and %q make the path %s", repository, tag, path)
		}
	})
}

type noNetwork struct{}

func (noNetwork) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrClosedPipe }

func FuzzExplanation(f *testing.F) {
	f.Add(404, "application/json", []byte(`{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`))
	f.Add(500, "text/html", []byte("<html>"))
	f.Add(0, "", []byte("\x1b[31m\xff"))
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		text := explanation(&http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}}, body)
		if len(text) > 1024 || !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\n\r\x00") {
			t.Errorf("%q", text)
		}
	})
}
