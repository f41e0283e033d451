// Package imagetest builds images in code, for the tests of every room that reads images.
//
//	img := imagetest.Image(t, v1.Config{Env: []string{"PATH=/usr/bin"}},
//		imagetest.Layer(imagetest.Text("etc/os-release", "ID=debian\n"), imagetest.Exec("usr/bin/bash")),
//		imagetest.Layer(imagetest.Whiteout("usr/bin/bash")))
//	imagetest.WriteLayout(t, dir, img)
//
// It must not import package image: image's own tests use it.
package imagetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// File is one entry of a layer. The zero Type is a regular file, and a zero Mode 0644 (folders and links: 0755, 0777).
type File struct {
	Path string
	Type byte // tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeChar, …
	Mode int64
	UID  int
	GID  int
	Body string
	Link string
	// PAX holds extended records, for example "SCHILY.xattr.security.capability".
	PAX map[string]string
}

// Text is a regular file, mode 0644.
func Text(name, body string) File { return File{Path: name, Body: body} }

// Exec is an executable file, mode 0755, with a body that no two paths share.
func Exec(name string) File { return File{Path: name, Mode: 0o755, Body: "\x7fELF of " + name} }

// Script is an executable file with a text, mode 0755.
func Script(name, body string) File { return File{Path: name, Mode: 0o755, Body: body} }

// Dir is a folder, mode 0755 unless another is given.
func Dir(name string, mode ...int64) File {
	f := File{Path: name, Type: tar.TypeDir, Mode: 0o755}
	if len(mode) > 0 {
		f.Mode = mode[0]
	}
	return f
}

// Symlink is a symbolic link at name that says target.
func Symlink(name, target string) File {
	return File{Path: name, Type: tar.TypeSymlink, Mode: 0o777, Link: target}
}

// Hardlink is a second name for target, which stands earlier in the layer or in a layer below.
func Hardlink(name, target string) File { return File{Path: name, Type: tar.TypeLink, Link: target} }

// Whiteout hides name in the layers below.
func Whiteout(name string) File {
	dir, base := path.Split(name)
	return File{Path: dir + ".wh." + base}
}

// Opaque hides everything that the layers below have in the folder name.
func Opaque(name string) File { return File{Path: path.Join(name, ".wh..wh..opq")} }

// Files makes regular files of a map from path to text, in order of their paths.
func Files(texts map[string]string) []File {
	files := make([]File, 0, len(texts))
	for _, name := range sorted(texts) {
		files = append(files, Text(name, texts[name]))
	}
	return files
}

// Tar writes files as one tar stream. Like Layer it panics where the tar format cannot hold a file: that is a bug of
// the test.
func Tar(files ...File) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		must(w.WriteHeader(f.header()))
		_, err := io.WriteString(w, f.Body)
		must(err)
	}
	must(w.Close())
	return out.Bytes()
}

func (f File) header() *tar.Header {
	h := &tar.Header{
		Name: f.Path, Typeflag: f.Type, Mode: f.Mode, Uid: f.UID, Gid: f.GID, Linkname: f.Link, Size: int64(len(f.Body)),
		ModTime: time.Unix(1, 0), PAXRecords: f.PAX,
	}
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
	}
	if h.Mode == 0 {
		h.Mode = 0o644
	}
	return h
}

// Blob is a layer: its tar as it is stored.
type Blob struct {
	Tar    []byte
	Packed []byte
	Type   types.MediaType
}

// Layer is files as an uncompressed layer, which is the quickest to make and to read.
func Layer(files ...File) Blob { return Plain(Tar(files...)) }

// Plain is any bytes as an uncompressed layer: hostile tars too.
func Plain(tarball []byte) Blob { return Blob{tarball, tarball, types.OCIUncompressedLayer} }

// Gzip is the layer compressed with gzip.
func (b Blob) Gzip() Blob {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	must(err)
	_, err = w.Write(b.Tar)
	must(err)
	must(w.Close())
	return Blob{b.Tar, out.Bytes(), types.OCILayer}
}

// Zstd is the layer compressed with zstd.
func (b Blob) Zstd() Blob {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	must(err)
	return Blob{b.Tar, w.EncodeAll(b.Tar, nil), types.OCILayerZStd}
}

// Image is an image for linux/amd64 with the layers, bottom first. Each has a history entry "layer N".
func Image(t testing.TB, config v1.Config, layers ...Blob) v1.Image {
	t.Helper()
	file := &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: config}
	for i := range layers {
		file.History = append(file.History, v1.History{CreatedBy: fmt.Sprintf("layer %d", i)})
	}
	return WithConfig(t, file, layers...)
}

// WithConfig is an image whose configuration is file, history included; only its diff ids are set.
func WithConfig(t testing.TB, file *v1.ConfigFile, layers ...Blob) v1.Image {
	t.Helper()
	file = file.DeepCopy()
	file.RootFS = v1.RootFS{Type: "layers"}
	img := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	addenda := make([]mutate.Addendum, len(layers))
	for i, layer := range layers {
		addenda[i] = mutate.Addendum{Layer: newLayer(layer), MediaType: layer.Type}
	}
	img, err := mutate.Append(img, addenda...)
	check(t, err)
	appended, err := img.ConfigFile()
	check(t, err)
	file.RootFS.DiffIDs = appended.RootFS.DiffIDs
	img, err = mutate.ConfigFile(img, file)
	check(t, err)
	return img
}

// WriteLayout writes the image as an OCI layout folder with one manifest.
func WriteLayout(t testing.TB, dir string, img v1.Image) {
	t.Helper()
	at, err := layout.Write(dir, empty.Index)
	check(t, err)
	check(t, at.AppendImage(img))
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("building an image for the test: %v", err)
	}
}

func must(err error) {
	if err != nil {
		panic("building a layer for a test: " + err.Error())
	}
}
