package registry_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
)

func TestUploadMounts(t *testing.T) {
	t.Parallel()
	client := newClient(t, registry.Options{})
	host := servers["embedded"](t)
	img := onDisk(t, 500, 2)
	s := push(t.Context(), t, client, host+"/base", img)
	ref, err := name.NewDigest(s.String())
	if err != nil {
		t.Fatal(err)
	}
	base, err := remote.Image(ref, client.RemoteOptions(t.Context())...) // its layers know where they come from
	if err != nil {
		t.Fatal(err)
	}
	seen := &notes{}
	stats, err := client.Upload(progress.With(t.Context(), seen), base, host+"/derived")
	if err != nil || stats.Mounted < 2 || stats.Mounted+stats.Sent != 3 {
		t.Errorf("%+v, error %v", stats, err)
	}
	if !strings.Contains(seen.String(), "mounted from base") {
		t.Errorf("notes: %q", seen)
	}
}

// TestOneChangedLayer: of an image of which one layer is new, that layer and the configuration are sent.
func TestOneChangedLayer(t *testing.T) {
	t.Parallel()
	client := newClient(t, registry.Options{})
	repository := servers["embedded"](t) + "/app"
	img := onDisk(t, 5000, 4)
	push(t.Context(), t, client, repository, img)
	added, err := onDisk(t, 70, 1).Layers()
	if err != nil {
		t.Fatal(err)
	}
	changed, err := mutate.AppendLayers(img, added...)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := client.Upload(t.Context(), changed, repository)
	if err != nil || stats.Sent != 2 || stats.Skipped != 4 {
		t.Errorf("%+v, error %v", stats, err)
	}
}

// zeros is a layer of many zero bytes that are nowhere in memory.
type zeros struct {
	size   int64
	digest v1.Hash
}

func newZeros(t *testing.T, size int64) zeros {
	t.Helper()
	digest, _, err := v1.SHA256(io.LimitReader(nothing{}, size))
	if err != nil {
		t.Fatal(err)
	}
	return zeros{size: size, digest: digest}
}

type nothing struct{}

func (nothing) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (z zeros) Digest() (v1.Hash, error)             { return z.digest, nil }
func (z zeros) DiffID() (v1.Hash, error)             { return z.digest, nil }
func (z zeros) Size() (int64, error)                 { return z.size, nil }
func (z zeros) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
func (z zeros) Uncompressed() (io.ReadCloser, error) { return z.Compressed() }
func (z zeros) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(nothing{}, z.size)), nil
}

// TestUploadMemoryIsFlat: a large layer passes through, store included, without being held.
func TestUploadMemoryIsFlat(t *testing.T) {
	layer := newZeros(t, 96<<20)
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t, registry.Options{})
	repository := open(t, t.TempDir()).Addr() + "/app"
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	seen := &notes{}
	stats, err := client.Upload(progress.With(t.Context(), seen), img, repository)
	if err != nil || stats.BytesSent < layer.size {
		t.Fatalf("%+v, error %v", stats, err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > uint64(layer.size)/4 {
		t.Errorf("%d bytes were allocated for a layer of %d", allocated, layer.size)
	}
	if seen.last.Current == 0 || seen.last.Total == 0 {
		t.Errorf("no progress was told: %+v", seen.last)
	}
}

// brokenLayer is a layer whose file cannot be read to its end.
type brokenLayer struct{ zeros }

var errDisk = errors.New("the disk is at fault")

func (b brokenLayer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 1000)), failing{})), nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errDisk }

func TestUploadFailures(t *testing.T) {
	t.Parallel()
	host := servers["embedded"](t)
	t.Run("unreadable layer", func(t *testing.T) {
		t.Parallel()
		img, err := mutate.AppendLayers(empty.Image, brokenLayer{newZeros(t, 100_000)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newClient(t, registry.Options{}).Upload(t.Context(), img, host+"/app"); !errors.Is(err, errDisk) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("wrong digest", func(t *testing.T) {
		t.Parallel()
		layer := newZeros(t, 1000)
		layer.digest.Hex = strings.Repeat("ab", 32)
		img, err := mutate.AppendLayers(empty.Image, layer)
		if err != nil {
			t.Fatal(err)
		}
		_, err = newClient(t, registry.Options{}).Upload(t.Context(), img, host+"/app")
		wantError(t, err, registry.CodeRefused, "DIGEST_INVALID")
	})
	t.Run("web page", func(t *testing.T) {
		t.Parallel()
		portal := &faults.Injector{Faults: []faults.Fault{{At: 1, For: 100, Kind: faults.WebPage}}}
		_, err := newClient(t, registry.Options{Transport: portal}).Upload(t.Context(), onDisk(t, 10, 1), host+"/app")
		wantError(t, err, registry.CodeAnswer, "the answer is a web page")
	})
	t.Run("outage", func(t *testing.T) {
		t.Parallel()
		down := &faults.Injector{Faults: []faults.Fault{{At: 3, For: 1000, Kind: faults.Unavailable}}}
		_, err := newClient(t, registry.Options{Transport: down, MaxRetries: 2}).Upload(t.Context(), onDisk(t, 10, 1), host+"/app")
		wantError(t, err, registry.CodeUnavailable, "503 Service Unavailable")
	})
	t.Run("bad repository", func(t *testing.T) {
		t.Parallel()
		if _, err := newClient(t, registry.Options{}).Upload(t.Context(), empty.Image, host+"/App"); exitCode(err) != 2 {
			t.Errorf("error %v", err)
		}
	})
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	for host, c := range map[string]struct {
		plain []string
		want  string
	}{
		"127.0.0.1:5000":       {nil, "http"},
		"[::1]:5000":           {nil, "http"},
		"localhost:5000":       {nil, "http"},
		"10.0.0.5:5000":        {nil, "https"},
		"registry.local":       {nil, "https"},
		"registry.lan:5000":    {[]string{"registry.lan:5000"}, "http"},
		"registry.lan:5001":    {[]string{"registry.lan:5000"}, "https"},
		"registry.lan:5002":    {[]string{"registry.lan"}, "http"},
		"registry.example.com": {[]string{"registry.lan"}, "https"},
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			var schemes []string
			carry := transport(func(req *http.Request) (*http.Response, error) {
				schemes = append(schemes, req.URL.Scheme)
				return &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
			})
			client := newClient(t, registry.Options{Transport: carry, PlainHTTP: c.plain})
			if _, _, err := client.Head(t.Context(), host+"/app", "golden"); err != nil {
				t.Fatal(err)
			}
			// The library guesses by itself; the chain overrules it, and keeps its pings off the network.
			if _, err := client.Tags(t.Context(), host+"/app"); err != nil {
				t.Fatal(err)
			}
			if len(schemes) != 2 || schemes[0] != c.want || schemes[1] != c.want {
				t.Errorf("requests over %q, want two over %s", schemes, c.want)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]registry.Options{
		"url as plain host":  {PlainHTTP: []string{"http://registry.lan"}},
		"password in place":  {Auth: map[string]registry.Credential{"h": {Username: "u", Password: "hunter22"}}},
		"password and token": {Auth: map[string]registry.Credential{"h": {Username: "u", Password: "env:A", Token: "env:B"}}},
		"no password":        {Auth: map[string]registry.Credential{"h": {Username: "u"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := registry.New(options); exitCode(err) != 2 || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("error %v", err)
			}
		})
	}
}
