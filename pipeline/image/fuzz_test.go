package image_test

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// small limits keep the fuzzer quick: what they let through is what larger ones let through.
var small = image.Limits{
	Entries: 1000, LayerBytes: 4 << 20, RatioFloor: 1 << 20, BodyBytes: 1 << 20, FileBytes: 1 << 20, MemoryBytes: 1 << 16, Facts: 10_000,
}

// judge reads an image from foreign bytes: it ends in facts that are JSON, or in an error that blames the image.
func judge(t *testing.T, img v1.Image) {
	t.Helper()
	contents, err := (&image.Reader{Limits: small, Analyzers: []image.Analyzer{&lengths{}}}).Read(t.Context(), img)
	if err == nil {
		var f *image.Facts
		if f, err = contents.Facts(image.FactsOptions{Files: []string{"/**", "/etc/passwd"}, Limits: small}); err == nil {
			if _, err := json.Marshal(f); err != nil {
				t.Fatalf("facts are not JSON: %v", err)
			}
			for range contents.EveryResult("lengths 1") {
				continue
			}
			return
		}
	}
	if bad := (*image.BadInput)(nil); verdict.OfError(err) != verdict.Fail || !errors.As(err, &bad) {
		t.Fatalf("the image is not blamed: %v", err)
	}
}

func FuzzTar(f *testing.F) {
	f.Add(imagetest.Tar(imagetest.Text("etc/passwd", "root:x:0:0::/:/bin/sh\n"), imagetest.Symlink("a", "etc"), imagetest.Hardlink("b", "etc/passwd")))
	f.Add(imagetest.Tar(imagetest.Whiteout("a"), imagetest.Opaque("b"), imagetest.Dir("c", 0o777), imagetest.File{Path: "d", Type: tar.TypeChar}))
	f.Add(imagetest.Tar(imagetest.File{Path: "a.txt", Body: "xx", PAX: map[string]string{"SCHILY.xattr.security.capability": "x"}}))
	f.Add(sparse(100))
	f.Add(longName(1000))
	f.Fuzz(func(t *testing.T, tarball []byte) {
		judge(t, imagetest.Image(t, v1.Config{Env: []string{"PATH=/a:/b:/etc"}}, imagetest.Plain(tarball)))
	})
}

func FuzzCompressed(f *testing.F) {
	layer := imagetest.Layer(imagetest.Text("a.txt", "xx"))
	f.Add(layer.Gzip().Packed)
	f.Add(layer.Zstd().Packed)
	f.Add([]byte("BZh"))
	f.Fuzz(func(t *testing.T, blob []byte) {
		packed := layer
		packed.Packed = blob
		judge(t, imagetest.Image(t, v1.Config{}, packed))
	})
}

func FuzzBodies(f *testing.F) {
	for _, seed := range []string{dpkgStatus, "P:musl\nV:1\nA:x\no:y\n", "root:x:0:0:r:/root:/bin/bash\n", "ID=debian\nVERSION_ID=\"1\\\"2\"\n", "export PATH=$PATH:~/bin\nA_HOME='x'\n", "JAVA_VERSION=\"17\"\n", "#!/bin/sh\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var files []imagetest.File
		for _, file := range []string{
			"etc/os-release", "etc/passwd", "etc/group", "etc/shadow", "etc/environment", "var/lib/dpkg/status", "var/lib/dpkg/status.d/a",
			"lib/apk/db/installed", "root/.bashrc", "root/.profile", "opt/java/release", "opt/entrypoint.sh",
		} {
			files = append(files, imagetest.Text(file, body))
		}
		judge(t, imagetest.Image(t, v1.Config{User: body, Env: []string{body}, Cmd: []string{body}}, imagetest.Layer(append(files, imagetest.Exec("opt/java/bin/java"))...)))
	})
}
