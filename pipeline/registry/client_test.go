package registry_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// servers are the registries that every test of behaviour runs against.
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
		server := httptest.NewServer(ggcr.New(ggcr.Logger(discardLog())))
		t.Cleanup(server.Close)
		return strings.TrimPrefix(server.URL, "http://")
	},
}

func newClient(t *testing.T, options registry.Options) *registry.Client {
	t.Helper()
	if options.RetryWait == 0 {
		options.RetryWait = time.Millisecond
	}
	if options.DockerConfig == "" {
		options.DockerConfig = t.TempDir() // never the developer's own
	}
	client, err := registry.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// onDisk is a random image that is read from an OCI layout, as the build leaves it.
func onDisk(t *testing.T, bytes int64, layers int) v1.Image {
	t.Helper()
	img, err := random.Image(bytes, int64(layers))
	if err != nil {
		t.Fatal(err)
	}
	path, err := layout.Write(t.TempDir(), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := path.Image(digest)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func subjectOf(t *testing.T, repository string, img v1.Image) subject.Subject {
	t.Helper()
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	s, err := subject.New(repository, digest.String())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func push(ctx context.Context, t *testing.T, client *registry.Client, repository string, img v1.Image) subject.Subject {
	t.Helper()
	s := subjectOf(t, repository, img)
	if _, err := client.Upload(ctx, img, repository); err != nil {
		t.Fatal(err)
	}
	if err := client.PutManifest(ctx, s, img); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPushTagPull(t *testing.T) {
	t.Parallel()
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, client := t.Context(), newClient(t, registry.Options{})
			repository := start(t) + "/team/app"
			img := onDisk(t, 3000, 3)
			s := subjectOf(t, repository, img)

			first, err := client.Upload(ctx, img, repository)
			if err != nil {
				t.Fatal(err)
			}
			if first.Sent != 4 || first.Skipped != 0 || first.BytesSent == 0 {
				t.Errorf("the first upload: %+v, want 4 blobs sent", first)
			}
			if err := client.PutManifest(ctx, s, img); err != nil {
				t.Fatal(err)
			}
			if _, found, err := client.Head(ctx, repository, "golden"); err != nil || found {
				t.Fatalf("before tagging: found %v, error %v", found, err)
			}
			if err := client.Tag(ctx, s, "golden", registry.TagOptions{}); err != nil {
				t.Fatal(err)
			}
			if digest, found, err := client.Head(ctx, repository, "golden"); err != nil || !found || digest != s.Digest {
				t.Fatalf("after tagging: %s, found %v, error %v; want %s", digest, found, err, s.Digest)
			}
			second, err := client.Upload(ctx, img, repository)
			if err != nil {
				t.Fatal(err)
			}
			if second.Sent != 0 || second.Skipped != 4 || second.BytesSkipped != first.BytesSent {
				t.Errorf("the second upload: %+v, want 4 blobs skipped", second)
			}
			resolved, err := client.Resolve(ctx, repository+":golden")
			if err != nil || resolved != s {
				t.Fatalf("resolved %v, error %v; want %v", resolved, err, s)
			}
			pulled, err := client.Image(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(pulled); err != nil {
				t.Error(err)
			}
			if tags, err := client.Tags(ctx, repository); err != nil || len(tags) != 1 || tags[0] != "golden" {
				t.Errorf("tags %v, error %v", tags, err)
			}
			if referrers, err := client.Referrers(ctx, s); err != nil || len(referrers) != 0 {
				t.Errorf("referrers %v, error %v", referrers, err)
			}
			if tags, err := client.Tags(ctx, repository+"/none"); err != nil || len(tags) != 0 {
				t.Errorf("tags of a repository that is not there: %v, error %v", tags, err)
			}
		})
	}
}
