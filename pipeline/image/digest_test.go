package image_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
)

// TestFileDigest finds files as a container would: the newest one, through links, and none that a later layer took away.
func TestFileDigest(t *testing.T) {
	t.Parallel()
	img := imagetest.Image(t, v1.Config{},
		imagetest.Layer(imagetest.Text("opt/init.sh", "old"), imagetest.Text("opt/gone.sh", "gone"), imagetest.Text("usr/lib/real.sh", "real"), imagetest.Dir("opt/folder")).Gzip(),
		imagetest.Layer(imagetest.Text("opt/init.sh", "older"), imagetest.Text("./opt/init.sh", "new"), imagetest.Symlink("opt/link.sh", "../usr/lib/real.sh"), imagetest.Symlink("init", "opt"),
			imagetest.Whiteout("opt/gone.sh"), imagetest.Text("opt/one.sh", "one"), imagetest.Hardlink("opt/two.sh", "opt/one.sh"), imagetest.Symlink("opt/loop.sh", "loop.sh")).Zstd(),
		imagetest.Layer(imagetest.Text("etc/motd", "x")))
	contents, err := (&image.Reader{}).Read(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"/opt/init.sh": "new", "/opt/../opt/./init.sh": "new", "/init/init.sh": "new", "/opt/link.sh": "real", "/opt/one.sh": "one", "/opt/two.sh": "one",
		"/opt/gone.sh": "", "/opt/folder": "", "/opt/loop.sh": "", "/opt/none.sh": "", "/": "", "": "",
	} {
		got, ok, err := contents.FileDigest(t.Context(), img, name)
		sum, want := sha256.Sum256([]byte(body)), ""
		if body != "" {
			want = "sha256:" + hex.EncodeToString(sum[:])
		}
		if err != nil || ok != (body != "") || got != want {
			t.Errorf("%s: %q %t %v, want %q", name, got, ok, err, want)
		}
	}
	if _, _, err := contents.FileDigest(t.Context(), torn{img}, "/opt/init.sh"); err == nil {
		t.Error("a layer that cannot be read has given a digest")
	}
}

// torn is an image whose layers cannot be read.
type torn struct{ v1.Image }

func (i torn) Layers() ([]v1.Layer, error) {
	layers, err := i.Image.Layers()
	for n := range layers {
		layers[n] = tornLayer{layers[n]}
	}
	return layers, err
}

type tornLayer struct{ v1.Layer }

func (tornLayer) Compressed() (io.ReadCloser, error) { return nil, errors.New("input/output error") }
