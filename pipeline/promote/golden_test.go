package promote_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
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
		server, err := registry.Serve(t.Context(), registry.ServeOptions{Root: memory(t)})
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

// memory is a folder that need not reach a disk, where there is one: the store syncs every file, and there are hundreds
// of promotions here.
func memory(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "hallmark-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// store is a repository with three images on a registry of its own.
type store struct {
	repository           string
	before, after, other subject.Subject
	manifest             registry.Manifest // of after
	direct               *registry.Client  // reaches the registry without faults
	tags                 atomic.Int64
}

func newStore(t *testing.T, host string) *store {
	t.Helper()
	s := &store{repository: host + "/team/app", direct: newClient(t, nil, 2)}
	for _, image := range []*subject.Subject{&s.before, &s.after, &s.other} {
		img, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		m, err := registry.ManifestOf(img)
		if err != nil {
			t.Fatal(err)
		}
		*image = subject.Subject{Repository: s.repository, Digest: m.Digest()}
		if image == &s.after {
			s.manifest = m
		}
		if _, err := s.direct.Upload(t.Context(), img, s.repository); err != nil {
			t.Fatal(err)
		}
		if err := s.direct.PutManifest(t.Context(), *image, img); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func newClient(t *testing.T, transport http.RoundTripper, retries int) *registry.Client {
	t.Helper()
	client, err := registry.New(registry.Options{
		Transport: transport, MaxRetries: retries, RetryWait: tick, DockerConfig: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// golden is a tag of the store that points to before, or is not there. Each test has one of its own.
type golden struct {
	*store
	tag     string
	present bool
	journal string
}

func (s *store) golden(t *testing.T, present bool) *golden {
	t.Helper()
	g := &golden{store: s, tag: fmt.Sprintf("golden-%d", s.tags.Add(1)), present: present, journal: memory(t)}
	if present {
		g.moveTo(t, g.before)
	}
	return g
}

func (g *golden) request() promote.Request {
	return promote.Request{
		Subject: g.after, Tag: g.tag, Manifest: g.manifest, Journal: g.journal, By: "tester",
		Patience: promote.Patience{Reads: 3, Writes: 3, Wait: tick},
	}
}

func (g *golden) moveTo(t *testing.T, s subject.Subject) {
	t.Helper()
	if err := g.direct.Tag(t.Context(), s, g.tag, registry.TagOptions{Owned: true}); err != nil {
		t.Error(err)
	}
}

func (g *golden) now(t *testing.T) string {
	t.Helper()
	digest, _, err := g.direct.Head(t.Context(), g.repository, g.tag)
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

// onEach runs a test against a golden tag of each registry.
func onEach(t *testing.T, present bool, test func(t *testing.T, server string, g *golden)) {
	t.Helper()
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name, newStore(t, start(t)).golden(t, present))
		})
	}
}
