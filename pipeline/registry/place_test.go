//go:build unix

package registry_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
)

// inLayout writes img into an OCI layout, and opens it there: its blobs are files.
func inLayout(t *testing.T, img v1.Image) (dir string, stored v1.Image) {
	t.Helper()
	dir = t.TempDir()
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	stored, err = path.Image(digest)
	if err != nil {
		t.Fatal(err)
	}
	return dir, stored
}

// An embedded registry that the same process serves gets second names of a layout's files, and serves them as if they
// had been sent. What it must not trust is sent, and judged as ever.
func TestBlobsArePlaced(t *testing.T) {
	t.Parallel()
	spoil := func(t *testing.T, path string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteAt([]byte("spoilt"), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, path string)
		placed bool
		fails  bool
	}{
		{"a file of ours", func(*testing.T, string) {}, true, false},
		{"one that others may write to", func(t *testing.T, path string) {
			t.Helper()
			if err := os.Chmod(path, 0o666); err != nil { //nolint:gosec // that is the point
				t.Fatal(err)
			}
		}, false, false},
		{"one with other bytes than its name says", spoil, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			server, err := registry.Serve(t.Context(), registry.ServeOptions{Root: root})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close() })
			client := newClient(t, registry.Options{Stores: map[string]string{server.Addr(): root}})
			dir, img := inLayout(t, onDisk(t, 5000, 1))
			layers, err := img.Layers()
			if err != nil {
				t.Fatal(err)
			}
			digest, err := layers[0].Digest()
			if err != nil {
				t.Fatal(err)
			}
			blob := filepath.Join(dir, "blobs", "sha256", digest.Hex)
			c.change(t, blob)
			stats, err := client.Upload(t.Context(), img, server.Addr()+"/app")
			if c.fails {
				if err == nil {
					t.Fatal("a blob that is not what its name says was taken")
				}
				return
			}
			if err != nil || stats.Sent != 2 || stats.BytesSent < 5000 {
				t.Fatalf("%+v, error %v", stats, err)
			}
			if placed := sameFile(t, blob, filepath.Join(root, "docker/registry/v2/blobs/sha256", digest.Hex[:2], digest.Hex, "data")); placed != c.placed {
				t.Errorf("placed: %v, want %v", placed, c.placed)
			}
			s := push(t.Context(), t, client, server.Addr()+"/app", img) // with its manifest
			ref, err := name.NewDigest(s.String())
			if err != nil {
				t.Fatal(err)
			}
			back, err := remote.Image(ref, client.RemoteOptions(t.Context())...)
			if err == nil {
				err = validate.Image(back)
			}
			if err != nil {
				t.Errorf("pulled back: %v", err)
			}
			again, err := client.Upload(t.Context(), img, server.Addr()+"/app")
			if err != nil || again.Sent != 0 || again.Skipped != 2 {
				t.Errorf("a second time: %+v, error %v", again, err)
			}
			other, err := client.Upload(t.Context(), img, server.Addr()+"/other")
			if err != nil || other.Sent != 2 {
				t.Errorf("into another repository of the store: %+v, error %v", other, err)
			}
		})
	}
}

func sameFile(t *testing.T, one, other string) bool {
	t.Helper()
	a, err := os.Stat(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(other)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(a, b)
}
