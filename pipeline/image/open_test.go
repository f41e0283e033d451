package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// forPlatform is an image that holds its own platform as a file.
func forPlatform(t *testing.T, os, arch, variant string) v1.Image {
	t.Helper()
	return imagetest.WithConfig(t, &v1.ConfigFile{OS: os, Architecture: arch, Variant: variant}, imagetest.Layer(imagetest.Text(arch, "x")).Gzip())
}

func holds(t *testing.T, img v1.Image, file string) {
	t.Helper()
	if _, ok := facts(t, read(t, img), file).Files[file]; !ok {
		t.Errorf("the image has no %s", file)
	}
	if plain := strings.HasSuffix(string(mediaTypes(t, img)[0]), ".tar"); plain {
		return // the validator takes every layer for a compressed one
	}
	if err := validate.Image(img); err != nil {
		t.Errorf("the opened image is not valid: %v", err)
	}
}

func mediaTypes(t *testing.T, img v1.Image) (all []types.MediaType) {
	t.Helper()
	manifest, err := img.Manifest()
	must(err)
	for _, layer := range manifest.Layers {
		all = append(all, layer.MediaType)
	}
	return all
}

func TestOpenLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	imagetest.WriteLayout(t, dir, forPlatform(t, "linux", "amd64", ""))
	for _, want := range []string{"", "linux/amd64"} {
		img, err := image.OpenLayout(dir, want)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, img, "/amd64")
	}
	_, err := image.OpenLayout(dir, "linux/arm64")
	blamed(t, err, image.CodePlatform, "only for linux/amd64")
}

func TestOpenLayoutOfSeveralPlatforms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	attestation := mutate.IndexAddendum{
		Add: forPlatform(t, "unknown", "unknown", ""),
		Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}, Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
		},
	}
	amd := forPlatform(t, "linux", "amd64", "")
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: amd}, mutate.IndexAddendum{Add: forPlatform(t, "linux", "arm64", "v8")}, attestation)
	_, err := layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: index}, mutate.IndexAddendum{Add: amd}))
	must(err)
	images, err := image.LayoutImages(dir)
	if err != nil || len(images) != 2 || images[0].Platform != "linux/amd64" || images[1].Platform != "linux/arm64/v8" {
		t.Fatalf("images are %v (%v)", images, err)
	}
	for want, file := range map[string]string{"linux/amd64": "/amd64", "linux/arm64": "/arm64", "linux/arm64/v8": "/arm64"} {
		img, err := image.OpenLayout(dir, want)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, img, file)
	}
	if _, err := image.OpenLayout(dir, ""); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), "linux/amd64, linux/arm64/v8") {
		t.Errorf("error is %v", err)
	}
}

func TestOpenLayoutRefuses(t *testing.T) {
	t.Parallel()
	if _, err := image.OpenLayout(filepath.Join(t.TempDir(), "no"), ""); !errors.Is(err, verdict.ErrUsage) {
		t.Errorf("no folder: %v", err)
	}
	blob := func(dir string, img v1.Image, config bool) string {
		digest, err := img.Digest()
		if config {
			digest, err = img.ConfigName()
		}
		must(err)
		return filepath.Join(dir, "blobs", "sha256", digest.Hex)
	}
	for name, test := range map[string]struct {
		damage func(dir string, img v1.Image)
		code   string
		fails  verdict.Verdict
	}{
		"no JSON": {func(dir string, _ v1.Image) { must(os.WriteFile(filepath.Join(dir, "index.json"), []byte("{"), 0o600)) }, image.CodeMalformed, verdict.Fail},
		"no image": {func(dir string, _ v1.Image) {
			must(os.WriteFile(filepath.Join(dir, "index.json"), []byte("{}"), 0o600))
		}, image.CodeMalformed, verdict.Fail},
		"a huge index": {func(dir string, _ v1.Image) {
			must(os.WriteFile(filepath.Join(dir, "index.json"), make([]byte, 9<<20), 0o600))
		}, image.CodeLimit, verdict.Fail},
		"a changed manifest": {func(dir string, img v1.Image) { must(os.WriteFile(blob(dir, img, false), []byte("{}"), 0o600)) }, image.CodeMalformed, verdict.Fail},
		"a changed config":   {func(dir string, img v1.Image) { must(os.WriteFile(blob(dir, img, true), []byte("{}"), 0o600)) }, image.CodeMalformed, verdict.Fail},
		"a missing manifest": {func(dir string, img v1.Image) { must(os.Remove(blob(dir, img, false))) }, image.CodeUnreadable, verdict.Inconclusive},
		"a digest that climbs": {func(dir string, _ v1.Image) {
			must(os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../../../../etc/passwd","size":1}]}`), 0o600))
		}, image.CodeMalformed, verdict.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, img := t.TempDir(), forPlatform(t, "linux", "amd64", "")
			imagetest.WriteLayout(t, dir, img)
			test.damage(dir, img)
			_, err := image.OpenLayout(dir, "")
			e := (*verdict.Error)(nil)
			if !errors.As(err, &e) || e.Code != test.code || e.Verdict != test.fails {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestOpenDockerArchive(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "saved.tar")
	one, two := name.MustParseReference("example.com/one:1"), name.MustParseReference("example.com/two:2")
	must(tarball.MultiRefWriteToFile(file, map[name.Reference]v1.Image{one: forPlatform(t, "linux", "amd64", ""), two: forPlatform(t, "linux", "arm64", "")}))
	img, err := image.OpenDockerArchive(file, "example.com/two:2")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, img, "/arm64")
	for _, want := range []string{"", "example.com/three"} {
		if _, err := image.OpenDockerArchive(file, want); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), "example.com/one:1") {
			t.Errorf("%q: error is %v", want, err)
		}
	}
	if _, err := image.OpenDockerArchive(file+".no", ""); !errors.Is(err, verdict.ErrUsage) {
		t.Errorf("error is %v", err)
	}
}

// saved is an archive as older versions of docker save write it: plain layers, and links to layers that are there already.
func saved(t *testing.T, change func([]imagetest.File) []imagetest.File) string {
	t.Helper()
	layer := imagetest.Tar(imagetest.Text("a", "x"))
	diffID, _, err := v1.SHA256(bytes.NewReader(layer))
	must(err)
	config, err := json.Marshal(v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID, diffID}}})
	must(err)
	files := []imagetest.File{
		imagetest.Text("1/layer.tar", string(layer)), imagetest.Symlink("2/layer.tar", "../1/layer.tar"), imagetest.Text("c.json", string(config)),
		imagetest.Text("manifest.json", `[{"Config":"c.json","RepoTags":null,"Layers":["1/layer.tar","2/layer.tar"]}]`),
	}
	if change != nil {
		files = change(files)
	}
	file := filepath.Join(t.TempDir(), "saved.tar")
	must(os.WriteFile(file, imagetest.Tar(files...), 0o600))
	return file
}

func TestOpenArchiveOfPlainLayers(t *testing.T) {
	t.Parallel()
	if _, err := image.OpenDockerArchive(saved(t, nil), "linux/amd64"); err != nil {
		t.Errorf("whoever opens it for a platform cannot know that docker save writes one: %v", err)
	}
	img, err := image.OpenDockerArchive(saved(t, nil), "")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, img, "/a")
	if layers := facts(t, read(t, img)).Layers; len(layers) != 2 || layers[0].Digest != layers[0].DiffID || layers[0].Size == 0 {
		t.Errorf("layers are %+v", layers)
	}
}

func TestOpenArchiveRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([]imagetest.File) []imagetest.File{
		"no layer": func(f []imagetest.File) []imagetest.File { return f[1:] },
		"no JSON":  func(f []imagetest.File) []imagetest.File { f[3].Body = "["; return f },
		"no image": func(f []imagetest.File) []imagetest.File { f[3].Body = "[]"; return f },
		"too few layers": func(f []imagetest.File) []imagetest.File {
			f[3].Body = `[{"Config":"c.json","Layers":["1/layer.tar"]}]`
			return f
		},
		"no configuration":      func(f []imagetest.File) []imagetest.File { return slices.Delete(f, 2, 3) },
		"configuration unnamed": func(f []imagetest.File) []imagetest.File { f[3].Body = "[null]"; return f },
		"an empty layer":        func(f []imagetest.File) []imagetest.File { f[0].Body = ""; return f },
		"links in a chain": func(f []imagetest.File) []imagetest.File {
			return append(f[1:], imagetest.Symlink("1/layer.tar", "../2/layer.tar"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := image.OpenDockerArchive(saved(t, change), "")
			blamed(t, err, image.CodeMalformed, "")
			_, err = image.OpenDockerArchive(saved(t, change), "linux/amd64") // as the verbs ask
			blamed(t, err, image.CodeMalformed, "")
		})
	}
	file := filepath.Join(t.TempDir(), "no.tar")
	must(os.WriteFile(file, []byte(strings.Repeat("not a tar", 100)), 0o600))
	_, err := image.OpenDockerArchive(file, "")
	blamed(t, err, image.CodeMalformed, "uncompressed tar")
}

// TestOpenArchiveThatIsNone: what is not an archive at all is the wrong name in the command line, and no image's fault.
func TestOpenArchiveThatIsNone(t *testing.T) {
	t.Parallel()
	plain, err := os.ReadFile(saved(t, nil))
	must(err)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err = w.Write(plain)
	must(errors.Join(err, w.Close()))
	for says, body := range map[string][]byte{
		"compressed with gzip. Unpack it first":                zipped.Bytes(),
		"neither what docker save writes nor a packed":         {},
		"neither what docker save writes nor a packed OCI lay": imagetest.Tar(imagetest.Text("README", "")),
	} {
		file := filepath.Join(t.TempDir(), "image.tar")
		must(os.WriteFile(file, body, 0o600))
		if _, err := image.OpenDockerArchive(file, "linux/amd64"); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want one of usage that says %q", err, says)
		}
	}
	folder := t.TempDir()
	if _, err := image.OpenDockerArchive(folder, ""); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), "oci-layout:"+folder) {
		t.Errorf("a folder: error is %v", err)
	}
}

// TestOpenEmptyLayout: a layout without an image is told as that, whatever platform was asked for.
func TestOpenEmptyLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"schemaVersion":2,"manifests":[]}`), 0o600))
	for _, want := range []string{"", "linux/amd64"} {
		_, err := image.OpenLayout(dir, want)
		blamed(t, err, image.CodeMalformed, "it holds no image")
	}
}

func TestOpenPackedLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	imagetest.WriteLayout(t, dir, forPlatform(t, "linux", "amd64", ""))
	file := filepath.Join(t.TempDir(), "layout.tar")
	out, err := os.Create(file)
	must(err)
	w := tar.NewWriter(out)
	must(w.AddFS(os.DirFS(dir)))
	must(errors.Join(w.Close(), out.Close()))
	img, err := image.OpenDockerArchive(file, "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, img, "/amd64")
}

func TestDescriptionsThatDoNotFit(t *testing.T) {
	t.Parallel()
	img := forPlatform(t, "linux", "amd64", "")
	manifest, err := img.Manifest()
	must(err)
	for name, test := range map[string]struct {
		img    v1.Image
		limits image.Limits
		code   string
	}{
		"another configuration": {reconfigured{img, `{"rootfs":{"diff_ids":[]}}`}, image.Limits{}, image.CodeMalformed},
		"a large configuration": {img, image.Limits{ConfigBytes: manifest.Config.Size - 1}, image.CodeLimit},
		"many layers":           {imagetest.Image(t, v1.Config{}, imagetest.Layer(), imagetest.Layer(imagetest.Text("a", ""))), image.Limits{Layers: 1}, image.CodeLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := (&image.Reader{Limits: test.limits}).Read(t.Context(), test.img)
			blamed(t, err, test.code, "")
		})
	}
}

type reconfigured struct {
	v1.Image
	config string
}

func (r reconfigured) RawConfigFile() ([]byte, error) { return []byte(r.config), nil }
