package build_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

func TestMain(m *testing.M) {
	build.AlwaysEarly()
	os.Exit(enginetest.Main(m))
}

// files is a build context: what each file holds. The tool is added as "sh".
type files map[string]string

func (f files) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	tool, err := os.ReadFile(enginetest.Tool(t))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"sh": string(tool)}
	for name, text := range f {
		all[name] = text
	}
	for name, text := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// events collects what people would see.
type events struct {
	mu  sync.Mutex
	all []progress.Event
}

// Event is for progress.
func (e *events) Event(event progress.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out strings.Builder
	for _, event := range e.all {
		fmt.Fprintf(&out, "%s %s %s %s\n", event.Kind, event.Name, event.Text, event.Err)
	}
	return out.String()
}

func run(t testing.TB, e *engine.Engine, o build.Options) *build.Candidate {
	t.Helper()
	if o.Layout == "" {
		o.Layout = filepath.Join(t.TempDir(), "layout")
	}
	seen := &events{}
	candidate, err := build.Run(progress.With(t.Context(), seen), e, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, seen.text())
	}
	return candidate
}

// image opens the candidate's image of one platform (empty: the only one) and makes sure that every digest in it is
// right.
func image(t testing.TB, c *build.Candidate, platform string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(c.Layout)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := v1.NewHash(c.Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest != sum {
		t.Fatalf("index.json names %+v, not the candidate %s alone (%v)", manifest, sum, err)
	}
	if platform != "" {
		inner, err := index.ImageIndex(sum)
		if err != nil {
			t.Fatal(err)
		}
		all, err := inner.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range all.Manifests {
			if one.Platform.String() == platform {
				index, sum = inner, one.Digest
			}
		}
	}
	img, err := index.Image(sum)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Fatal(err)
	}
	return img
}

// content is what regular files of the image's layers hold, later layers over earlier ones.
func content(t testing.TB, img v1.Image) map[string]string {
	t.Helper()
	out := map[string]string{}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		body, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		for entries := tar.NewReader(body); ; {
			header, err := entries.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(entries)
			if err != nil {
				t.Fatal(err)
			}
			if header.Typeflag == tar.TypeReg {
				out[header.Name] = string(text)
			} else {
				out[header.Name] = ""
			}
		}
		_ = body.Close()
	}
	return out
}

func names(m map[string]string) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
