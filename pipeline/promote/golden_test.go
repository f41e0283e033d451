package promote_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/hallmark-ci/hallmark/pipeline/promote"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// servers are the registries that every promise is tried on: one honours If-Match, the other does not.
var servers = map[string]func(t *testing.T) string{
	"embedded": func(t *testing.T) string {
		t.Helper()
		server, err := registry.Serve(t.Context(), registry.ServeOptions{Root: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		return server.Addr()
	},
	"go-containerregistry": func(t *testing.T) string {
		t.Helper()
		server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	},
}

// golden is a repository with three images, whose tag golden points to the first, or is not there.
type golden struct {
	repository           string
	before, after, other subject.Subject
	present              bool
	manifest             registry.Manifest // of after
	direct               *registry.Client  // reaches the registry without faults
	journal              string
}

func newGolden(t *testing.T, host string, present bool) *golden {
	t.Helper()
	g := &golden{repository: host + "/team/app", present: present, journal: t.TempDir()}
	g.direct = g.client(t, nil, 2)
	for _, s := range []*subject.Subject{&g.before, &g.after, &g.other} {
		img, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		m, err := registry.ManifestOf(img)
		if err != nil {
			t.Fatal(err)
		}
		*s = subject.Subject{Repository: g.repository, Digest: m.Digest()}
		if s == &g.after {
			g.manifest = m
		}
		if _, err := g.direct.Upload(t.Context(), img, g.repository); err != nil {
			t.Fatal(err)
		}
		if err := g.direct.PutManifest(t.Context(), *s, img); err != nil {
			t.Fatal(err)
		}
	}
	if present {
		g.moveTo(t, g.before)
	}
	return g
}

func (g *golden) client(t *testing.T, transport http.RoundTripper, retries int) *registry.Client {
	t.Helper()
	client, err := registry.New(registry.Options{
		Transport: transport, MaxRetries: retries, RetryWait: tick, DockerConfig: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (g *golden) request(t *testing.T) promote.Request {
	t.Helper()
	return promote.Request{
		Subject: g.after, Tag: "golden", Manifest: g.manifest, Journal: g.journal, By: "tester",
		Patience: promote.Patience{Reads: 3, Writes: 3, Wait: tick},
	}
}

func (g *golden) moveTo(t *testing.T, s subject.Subject) {
	t.Helper()
	if err := g.direct.Tag(t.Context(), s, "golden", registry.TagOptions{Owned: true}); err != nil {
		t.Error(err)
	}
}

func (g *golden) now(t *testing.T) string {
	t.Helper()
	digest, _, err := g.direct.Head(t.Context(), g.repository, "golden")
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func (g *golden) beforeDigest() string {
	if g.present {
		return g.before.Digest
	}
	return ""
}
