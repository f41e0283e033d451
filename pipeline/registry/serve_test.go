package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func open(t *testing.T, root string) *registry.Server {
	t.Helper()
	server, err := registry.Serve(t.Context(), registry.ServeOptions{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// TestTwoServersOneRoot: two registries serve one store, and of many writers that compare and swap at once through
// both of them, exactly one wins each round.
func TestTwoServersOneRoot(t *testing.T) {
	t.Parallel()
	root := memory(t)
	hosts := []string{open(t, root).Addr(), open(t, root).Addr()}
	client := newClient(t, registry.Options{})
	const writers = 6
	images := make([]v1.Image, writers)
	for i := range images {
		images[i] = onDisk(t, 10, 1)
		push(t.Context(), t, client, hosts[i%2]+"/app", images[i])
	}
	for round := range 5 {
		expected, found, err := client.Head(t.Context(), hosts[0]+"/app", "golden")
		if err != nil {
			t.Fatal(err)
		}
		var won atomic.Int32
		var wait sync.WaitGroup
		for i, img := range images {
			repository := hosts[i%2] + "/app"
			wait.Go(func() {
				options := registry.TagOptions{IfMatch: expected, IfAbsent: !found, Manifest: img}
				switch err := client.Tag(t.Context(), subjectOf(t, repository, img), "golden", options); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, verdict.ErrConflict):
					t.Error(err)
				}
			})
		}
		wait.Wait()
		// Whoever writes what the tag points to already does not move it, and so need not be alone.
		if n := won.Load(); n != 1 && round == 0 || n < 1 || n > 2 {
			t.Errorf("round %d: %d writers won", round, n)
		}
	}
	one, _, _ := client.Head(t.Context(), hosts[0]+"/app", "golden")
	two, _, _ := client.Head(t.Context(), hosts[1]+"/app", "golden")
	if one != two {
		t.Errorf("the servers disagree: %s, %s", one, two)
	}
}

func TestStoreOutlivesServer(t *testing.T) {
	t.Parallel()
	root := memory(t)
	client := newClient(t, registry.Options{})
	img := onDisk(t, 1000, 2)
	first := open(t, root)
	s := push(t.Context(), t, client, first.Addr()+"/team/app", img)
	if err := client.Tag(t.Context(), s, "golden", registry.TagOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, root)
	there, err := client.Resolve(t.Context(), second.Addr()+"/team/app:golden")
	if err != nil || there.Digest != s.Digest {
		t.Fatalf("%v, error %v", there, err)
	}
	pulled, err := client.Image(t.Context(), there)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(pulled); err != nil {
		t.Error(err)
	}
}

// TestReferrersByTag: the embedded registry has no referrers API; the tag that stands in for it works with our reading.
func TestReferrers(t *testing.T) {
	t.Parallel()
	for server, start := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, registry.Options{})
			s := push(t.Context(), t, client, start(t)+"/app", onDisk(t, 10, 1))
			ref, err := name.NewDigest(s.String())
			if err != nil {
				t.Fatal(err)
			}
			described, err := remote.Head(ref, client.RemoteOptions(t.Context())...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				artifact := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(fmt.Sprintf("application/vnd.example.%d+json", i)))
				artifact, err := mutate.Config(artifact, v1.Config{Labels: map[string]string{"n": fmt.Sprint(i)}})
				if err != nil {
					t.Fatal(err)
				}
				referring := mutate.Subject(artifact, *described).(v1.Image)
				digest, err := referring.Digest()
				if err != nil {
					t.Fatal(err)
				}
				if err := remote.Write(ref.Context().Digest(digest.String()), referring, client.RemoteOptions(t.Context())...); err != nil {
					t.Fatal(err)
				}
			}
			found, err := client.Referrers(t.Context(), s)
			if err != nil || len(found) != 3 {
				t.Fatalf("%d referrers, error %v", len(found), err)
			}
		})
	}
}

func TestIndexOfPlatforms(t *testing.T) {
	t.Parallel()
	for server, start := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, registry.Options{})
			repository := start(t) + "/app"
			index, err := random.Index(20, 1, 2)
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := index.IndexManifest()
			if err != nil {
				t.Fatal(err)
			}
			for _, descriptor := range manifest.Manifests {
				img, err := index.Image(descriptor.Digest)
				if err != nil {
					t.Fatal(err)
				}
				push(t.Context(), t, client, repository, img)
			}
			m, err := registry.ManifestOf(index)
			if err != nil {
				t.Fatal(err)
			}
			s := subjectOf(t, repository, onDisk(t, 1, 1))
			if err := client.PutManifest(t.Context(), s, m); err == nil {
				t.Error("a manifest was written under another's digest")
			}
			s.Digest = m.Digest()
			if err := client.PutManifest(t.Context(), s, m); err != nil {
				t.Fatal(err)
			}
			pulled, err := client.Index(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Index(pulled); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	client := newClient(t, registry.Options{})
	host := servers["embedded"](t)
	s := push(t.Context(), t, client, host+"/app", onDisk(t, 10, 1))
	if err := client.Tag(t.Context(), s, "old", registry.TagOptions{}); err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(s.Tagged("old"))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Delete(ref, client.RemoteOptions(t.Context())...); err != nil {
		t.Fatal(err)
	}
	if _, found, err := client.Head(t.Context(), host+"/app", "old"); err != nil || found {
		t.Errorf("found %v, error %v", found, err)
	}
}

func TestServeRefusals(t *testing.T) {
	t.Parallel()
	busy := open(t, memory(t)).Addr()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		options registry.ServeOptions
		within  string
		code    int
	}{
		"no root":      {registry.ServeOptions{}, "needs a folder", verdict.ExitUsage},
		"root is file": {registry.ServeOptions{Root: file}, "making the embedded registry's store", verdict.ExitUsage},
		"no port":      {registry.ServeOptions{Root: t.TempDir(), Addr: "127.0.0.1"}, "is not host:port", verdict.ExitUsage},
		"everywhere":   {registry.ServeOptions{Root: t.TempDir(), Addr: ":0"}, "asks nobody for a password", verdict.ExitUsage},
		"taken":        {registry.ServeOptions{Root: t.TempDir(), Addr: busy}, "Choose another address", verdict.ExitInconclusive},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := registry.Serve(t.Context(), c.options)
			if err == nil || !strings.Contains(err.Error(), c.within) || exitCode(err) != c.code {
				t.Errorf("error %v with exit code %d; want %q and %d", err, exitCode(err), c.within, c.code)
			}
		})
	}
}

func TestServerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server, err := registry.Serve(ctx, registry.ServeOptions{Root: memory(t)})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get("http://" + server.Addr() + "/v2/"); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, error %v", resp, err)
	}
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the server goes on")
	}
	if err := server.Close(); err != nil {
		t.Errorf("closing what has ended: %v", err)
	}
}

// TestDeadUploadsAreSwept: what a killed run began to upload is cleared away at the next start, what is under way stays.
func TestDeadUploadsAreSwept(t *testing.T) {
	t.Parallel()
	root := memory(t)
	first := open(t, root)
	for range 2 {
		resp, err := http.Post("http://"+first.Addr()+"/v2/app/blobs/uploads/", "", nil)
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%v, error %v", resp, err)
		}
	}
	uploads := filepath.Join(root, "docker/registry/v2/repositories/app/_uploads")
	begun, err := os.ReadDir(uploads)
	if err != nil || len(begun) != 2 {
		t.Fatalf("%v, error %v", begun, err)
	}
	yesterday := time.Now().Add(-25 * time.Hour).UTC().Format(time.RFC3339)
	if err := os.WriteFile(filepath.Join(uploads, begun[0].Name(), "startedat"), []byte(yesterday), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, root)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left, err := os.ReadDir(uploads)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 1 && left[0].Name() == begun[1].Name() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left %v", left)
		}
	}
}
