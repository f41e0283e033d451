package image_test

import (
	"maps"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
)

func read(t *testing.T, img v1.Image) *image.Contents {
	t.Helper()
	contents, err := (&image.Reader{}).Read(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

func facts(t *testing.T, contents *image.Contents, files ...string) *image.Facts {
	t.Helper()
	facts, err := contents.Facts(image.FactsOptions{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func TestReadKnowsCompressions(t *testing.T) {
	t.Parallel()
	layer := imagetest.Layer(imagetest.Text("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"), imagetest.Exec("usr/bin/bash"))
	for name, blob := range map[string]imagetest.Blob{"plain": layer, "gzip": layer.Gzip(), "zstd": layer.Zstd()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := facts(t, read(t, imagetest.Image(t, v1.Config{}, blob)), "/usr/bin/*")
			if f.OS.ID != "debian" || f.OS.VersionID != "12" {
				t.Errorf("os = %+v", f.OS)
			}
			if bash := f.Commands["bash"]; bash.Target != "/usr/bin/bash" || bash.Mode != "0755" {
				t.Errorf("bash = %+v", bash)
			}
			if f.Files["/usr/bin/bash"].Type != "file" {
				t.Errorf("files = %+v", f.Files)
			}
		})
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
