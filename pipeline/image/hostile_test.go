package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// renamed puts a name into a tar that tar.Writer would refuse or change.
func renamed(tarball []byte, from, to string) []byte {
	at := bytes.Index(tarball, []byte(from))
	copy(tarball[at:], to)
	header := tarball[at/512*512:][:512]
	sum := 0
	copy(header[148:156], "        ")
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:156], []byte{
		'0', '0' + byte(sum>>12&7), '0' + byte(sum>>9&7), '0' + byte(sum>>6&7), '0' + byte(sum>>3&7), '0' + byte(sum&7), 0, ' ',
	})
	return tarball
}

func TestHostileImagesAreBlamed(t *testing.T) {
	t.Parallel()
	layer, text := imagetest.Layer, imagetest.Text
	zeros := func(n int) imagetest.Blob { return layer(text("zeros", strings.Repeat("\x00", n))) }
	for name, test := range map[string]struct {
		blob   imagetest.Blob
		limits image.Limits
		code   string
		says   string
		file   string
	}{
		"traversal":               {blob: layer(text("../../etc/passwd", "x")), code: image.CodeMalformed, says: "climbs out", file: "../../etc/passwd"},
		"hidden traversal":        {blob: layer(text("a/../../b", "x")), code: image.CodeMalformed, says: "climbs out"},
		"hard link out":           {blob: layer(imagetest.Hardlink("a", "../../etc/shadow")), code: image.CodeMalformed, says: "climbs out"},
		"hard link to nothing":    {blob: layer(imagetest.Hardlink("a", "b")), code: image.CodeMalformed, says: "hard link leads to", file: "/a"},
		"hard link to a folder":   {blob: layer(imagetest.Dir("d"), imagetest.Hardlink("a", "d")), code: image.CodeMalformed, says: "is no file"},
		"a file as folder":        {blob: layer(text("a", "x"), text("a/b", "x")), code: image.CodeMalformed, says: "is a file", file: "/a/b"},
		"folder loop":             {blob: layer(imagetest.Symlink("a", "b"), imagetest.Symlink("b", "a"), text("a/x", "")), code: image.CodeMalformed, says: "loop"},
		"nameless whiteout":       {blob: layer(text(".wh.", "")), code: image.CodeMalformed, says: "whiteout"},
		"whiteout of the parent":  {blob: layer(text("a/.wh...", "")), code: image.CodeMalformed, says: "whiteout"},
		"symbolic link to naught": {blob: imagetest.Plain(renamed(imagetest.Tar(imagetest.Symlink("a", "here")), "here", "\x00\x00\x00\x00")), code: image.CodeMalformed, says: "target"},
		"unknown kind":            {blob: layer(imagetest.File{Path: "a", Type: 'Y'}), code: image.CodeMalformed, says: "unknown kind"},
		"long component":          {blob: layer(text(strings.Repeat("a", 256), "")), code: image.CodeMalformed, says: "255"},
		"long path":               {blob: layer(text(strings.Repeat("a/", 2100)+"a", "")), code: image.CodeLimit, says: "path_bytes"},
		"long link":               {blob: layer(imagetest.Symlink("a", strings.Repeat("a/", 2100))), code: image.CodeLimit, says: "path_bytes"},
		"long header":             {blob: imagetest.Plain(longName(2 << 20)), code: image.CodeLimit, says: "header"},
		"attributes":              {blob: layer(imagetest.File{Path: "a", PAX: map[string]string{"SCHILY.xattr.user.x": strings.Repeat("x", 1<<19)}}), code: image.CodeLimit, says: "attribute_bytes"},
		"owner":                   {blob: layer(imagetest.File{Path: "a", UID: 1 << 33}), code: image.CodeMalformed, says: "owner"},
		"not a tar":               {blob: imagetest.Plain(bytes.Repeat([]byte("no tar "), 1000)), code: image.CodeMalformed, says: "not a valid tar"},
		"cut header":              {blob: imagetest.Plain(imagetest.Tar(text("a", "x"))[:300]), code: image.CodeMalformed, says: "ends in the middle"},
		"cut body":                {blob: imagetest.Plain(imagetest.Tar(text("a", strings.Repeat("x", 2000)))[:1024]), code: image.CodeMalformed, says: "ends in the middle"},
		"cut gzip":                {blob: cut(zeros(1 << 20).Gzip()), code: image.CodeMalformed, says: "ends in the middle"},
		"cut zstd":                {blob: cut(layer(text("a", random(1<<20))).Zstd()), code: image.CodeMalformed, says: "compressed data"},
		"damaged gzip":            {blob: damaged(layer(text("a", random(1<<20))).Gzip()), code: image.CodeMalformed, says: "damaged"},
		"damaged zstd":            {blob: damaged(layer(text("a", random(1<<20))).Zstd()), code: image.CodeMalformed, says: "damaged"},
		"foreign compression":     {blob: packed(layer(text("a", "")), "BZh91AY&SY"), code: image.CodeMalformed, says: "none of gzip"},
		"lying diff id":           {blob: packed(layer(text("a", "")), string(layer(text("b", "")).Gzip().Packed)), code: image.CodeMalformed, says: "promises"},
		"bomb":                    {blob: zeros(64 << 20).Gzip(), limits: image.Limits{RatioFloor: 1 << 20}, code: image.CodeLimit, says: "ratio"},
		"long layer":              {blob: zeros(4 << 20).Zstd(), limits: image.Limits{LayerBytes: 1 << 20}, code: image.CodeLimit, says: "layer_bytes"},
		"long stream":             {blob: imagetest.Plain(append(imagetest.Tar(text("a", "")), make([]byte, 4<<20)...)), limits: image.Limits{LayerBytes: 1 << 20}, code: image.CodeLimit, says: "layer_bytes"},
		"long image":              {blob: zeros(4 << 20).Zstd(), limits: image.Limits{ImageBytes: 1 << 20}, code: image.CodeLimit, says: "image_bytes"},
		"sparse":                  {blob: imagetest.Plain(sparse(1 << 50)), code: image.CodeLimit, says: "layer_bytes"},
		"many entries":            {blob: layer(text("a", ""), text("b", ""), text("c", "")), limits: image.Limits{Entries: 2}, code: image.CodeLimit, says: "entries"},
		"many entries in all":     {blob: layer(text("a", ""), text("b", ""), text("c", "")), limits: image.Limits{ImageEntries: 2}, code: image.CodeLimit, says: "image_entries"},
		"many folders":            {blob: layer(text("a/b/c/d/e/f/g/h", "")), limits: image.Limits{ImageEntries: 2}, code: image.CodeLimit, says: "image_entries"},
		"many names":              {blob: layer(text(strings.Repeat("a/", 100)+"a", "")), limits: image.Limits{NameBytes: 100}, code: image.CodeLimit, says: "name_bytes"},
		"large passwd":            {blob: layer(text("etc/passwd", strings.Repeat("x", 2000))), limits: image.Limits{BodyBytes: 1000}, code: image.CodeLimit, says: "body_bytes"},
		"large bodies":            {blob: layer(text("opt/a", "#!"+strings.Repeat("x", 900)), text("opt/b", "#!"+strings.Repeat("x", 900))), limits: image.Limits{BodyBytes: 1000}, code: image.CodeLimit, says: "body_bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := (&image.Reader{Limits: test.limits}).Read(t.Context(), imagetest.Image(t, v1.Config{}, test.blob))
			blamed(t, err, test.code, test.says)
			bad := (*image.BadInput)(nil)
			if !errors.As(err, &bad) || bad.Place.Layer == "" || bad.Place.CreatedBy != "layer 0" {
				t.Errorf("the error does not say where: %+v", bad)
			}
			if test.file != "" && bad.Place.File != test.file {
				t.Errorf("the error is about %q, want %q", bad.Place.File, test.file)
			}
		})
	}
}

func blamed(t *testing.T, err error, code, says string) {
	t.Helper()
	e := (*verdict.Error)(nil)
	if !errors.As(err, &e) || e.Verdict != verdict.Fail || e.Code != code || !strings.Contains(err.Error(), says) {
		t.Fatalf("error is %v, want a failed image with code %s that says %q", err, code, says)
	}
	if e.Remedy == "" {
		t.Error("the error has no remedy")
	}
}

func cut(b imagetest.Blob) imagetest.Blob {
	b.Packed = b.Packed[:len(b.Packed)/2]
	return b
}

func damaged(b imagetest.Blob) imagetest.Blob {
	b.Packed = bytes.Clone(b.Packed)
	for i := len(b.Packed) / 2; i < len(b.Packed)/2+64; i++ {
		b.Packed[i] ^= 0x5a
	}
	return b
}

func packed(b imagetest.Blob, other string) imagetest.Blob {
	b.Packed = []byte(other)
	return b
}

// random is text that compresses badly.
func random(n int) string {
	out, state := make([]byte, n), uint64(1)
	for i := range out {
		state = state*6364136223846793005 + 1442695040888963407
		out[i] = byte(state >> 56)
	}
	return string(out)
}

// sparse is a tar whose only file claims to be size bytes long and stores none.
func sparse(size int64) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	must(w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, PAXRecords: nil, Format: tar.FormatGNU}))
	must(w.Close())
	tarball := out.Bytes()
	tarball[156] = tar.TypeGNUSparse
	number := func(at int, n int64) { // GNU's binary numbers
		field := tarball[at : at+12]
		clear(field)
		field[0] = 0x80
		for i := 11; n > 0; i-- {
			field[i] = byte(n)
			n >>= 8
		}
	}
	number(386, size) // one sparse entry at the end, of no bytes
	number(398, 0)
	number(483, size) // the real size
	return renamed(tarball, "a", "a")
}

// longName is a tar whose only file has a name of n bytes, in GNU's way.
func longName(n int) []byte {
	tarball := imagetest.Tar(imagetest.Text("@LongLink", strings.Repeat("a", n)), imagetest.Text("a", ""))
	tarball[156] = tar.TypeGNULongName
	return renamed(tarball, "@LongLink", "@LongLink")
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func TestSurroundingsAreNotTheImage(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	img := imagetest.Image(t, v1.Config{}, imagetest.Layer(imagetest.Text("a", "x")).Gzip())
	for name, open := range map[string]func() (io.ReadCloser, error){
		"cannot be opened": func() (io.ReadCloser, error) { return nil, broken },
		"breaks off": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00"), failing{broken})), nil
		},
		"breaks off at once": func() (io.ReadCloser, error) { return io.NopCloser(failing{broken}), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := (&image.Reader{}).Read(t.Context(), opened{img, open})
			e := (*verdict.Error)(nil)
			if !errors.As(err, &e) || e.Verdict != verdict.Inconclusive || e.Code != image.CodeUnreadable || !errors.Is(err, broken) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// opened is an image whose layers' blobs come from open.
type opened struct {
	v1.Image
	open func() (io.ReadCloser, error)
}

func (o opened) Layers() ([]v1.Layer, error) {
	layers, err := o.Image.Layers()
	for i := range layers {
		layers[i] = openedLayer{layers[i], o.open}
	}
	return layers, err
}

type openedLayer struct {
	v1.Layer
	open func() (io.ReadCloser, error)
}

func (o openedLayer) Compressed() (io.ReadCloser, error) { return o.open() }

// TestLayersOfAnotherLength: a manifest that lies about the length of its layers hides how large the image is, and no registry
// takes it.
func TestLayersOfAnotherLength(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		size int64
		says string
	}{{-1, "-1 bytes long"}, {5, "the manifest promises 5"}, {1 << 60, "the manifest promises 1152921504606846976"}} {
		dir := t.TempDir()
		img := imagetest.Image(t, v1.Config{}, imagetest.Layer(imagetest.Text("a", "x")))
		manifest, err := img.Manifest()
		must(err)
		manifest = manifest.DeepCopy()
		imagetest.WriteLayout(t, dir, img)
		manifest.Layers[0].Size = test.size
		raw, err := json.Marshal(manifest)
		must(err)
		digest, size, err := v1.SHA256(bytes.NewReader(raw))
		must(err)
		must(os.WriteFile(filepath.Join(dir, "blobs", "sha256", digest.Hex), raw, 0o600))
		index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{{MediaType: manifest.MediaType, Digest: digest, Size: size}}})
		must(err)
		must(os.WriteFile(filepath.Join(dir, "index.json"), index, 0o600))
		lying, err := image.OpenLayout(dir, "")
		if err == nil {
			_, err = (&image.Reader{}).Read(t.Context(), lying)
		}
		blamed(t, err, image.CodeMalformed, test.says)
	}
}
