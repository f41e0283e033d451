package registry_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	faux "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// examined is a client, and the repository of a registry that change stands in front of.
func examined(t *testing.T, options registry.Options, change func(http.Handler) http.Handler, more ...faux.Option) (*registry.Client, string) {
	t.Helper()
	handler := http.Handler(faux.New(append(more, faux.Logger(log.New(io.Discard, "", 0)))...))
	if change != nil {
		handler = change(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	options.MaxRetries, options.DockerConfig = -1, t.TempDir()
	client, err := registry.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return client, strings.TrimPrefix(server.URL, "http://") + "/team/app"
}

func TestMayPush(t *testing.T) {
	t.Parallel()
	var asked []string
	client, repository := examined(t, registry.Options{}, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.Path[:min(len(r.URL.Path), len("/v2/team/app/blobs/uploads/"))])
			next.ServeHTTP(w, r)
		})
	})
	if err := client.MayPush(t.Context(), repository); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, ", "); got != "POST /v2/team/app/blobs/uploads/, DELETE /v2/team/app/blobs/uploads/" {
		t.Errorf("asked %s: an upload is to be begun, and given up", got)
	}
	client, repository = examined(t, registry.Options{}, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"errors": [{"code": "DENIED", "message": "installation not allowed to write"}]}`)
		})
	})
	if err := client.MayPush(t.Context(), repository); verdict.ExitCodeOf(err) != verdict.ExitUsage || !strings.Contains(err.Error(), "not allowed to write") {
		t.Errorf("%v", err)
	}
	if err := client.MayPush(t.Context(), "127.0.0.1:9/team/app"); verdict.OfError(err) != verdict.Inconclusive {
		t.Errorf("nobody answers: %v", err)
	}
	if err := client.MayPush(t.Context(), "UPPER/x"); verdict.ExitCodeOf(err) != verdict.ExitUsage {
		t.Errorf("no repository: %v", err)
	}
}

func TestServesReferrers(t *testing.T) {
	t.Parallel()
	for _, served := range []bool{true, false} {
		client, repository := examined(t, registry.Options{}, nil, faux.WithReferrersSupport(served))
		if _, known, err := client.ServesReferrers(t.Context(), repository); err != nil || known == served {
			t.Errorf("served %t, of a repository that does not exist: known %t, %v", served, known, err)
		}
		pushed := imagetest.Image(t, v1.Config{}, imagetest.Layer(imagetest.Dir("etc")).Gzip())
		tag, err := name.NewTag(repository + ":1")
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(tag, pushed); err != nil {
			t.Fatal(err)
		}
		if got, known, err := client.ServesReferrers(t.Context(), repository); err != nil || !known || got != served {
			t.Errorf("served %t: %t, known %t, %v", served, got, known, err)
		}
	}
	client, repository := examined(t, registry.Options{}, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	})
	if _, _, err := client.ServesReferrers(t.Context(), repository); verdict.OfError(err) != verdict.Inconclusive {
		t.Errorf("%v", err)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		date  string
		known bool
		ahead time.Duration
	}{
		"the same":           {time.Now().UTC().Format(http.TimeFormat), true, 0},
		"ten minutes behind": {time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat), true, -10 * time.Minute},
		"an hour ahead":      {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), true, time.Hour},
		"no date":            {"", false, 0},
		"rubbish":            {"yesterday", false, 0},
	} {
		client, repository := examined(t, registry.Options{}, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Date"] = []string{c.date}
				next.ServeHTTP(w, r)
			})
		})
		ahead, known, err := client.Clock(t.Context(), repository)
		if err != nil || known != c.known || (ahead-c.ahead).Abs() > 10*time.Second {
			t.Errorf("%s: %s ahead, known %t, %v", name, ahead, known, err)
		}
	}
}

func TestShownCredential(t *testing.T) {
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	token := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp": %d}`, ends.Unix())) + ".c2ln"
	t.Setenv("TEST_TOKEN", token)
	t.Setenv("TEST_PASSWORD", "a.b.c")
	client, _ := examined(t, registry.Options{Auth: map[string]registry.Credential{
		"token.example.com": {Token: "env:TEST_TOKEN"}, "user.example.com": {Username: "ci", Password: "env:TEST_PASSWORD"},
	}}, nil)
	for host, want := range map[string]registry.Shown{
		"token.example.com": {From: "the token from env:TEST_TOKEN", Expires: ends},
		"user.example.com":  {From: "user ci with the password from env:TEST_PASSWORD"},
		"none.example.com":  {},
	} {
		got, err := client.Shows(t.Context(), host)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", host, got, err)
		}
	}
}
