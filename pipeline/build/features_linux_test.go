package build_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

const everything = `# syntax=docker/dockerfile:1
ARG ROOT=base
FROM $ROOT AS tools
ARG WORD
RUN write /out/word $WORD
RUN --mount=type=cache,target=/cache write /cache/kept yes && copy /cache/kept /out/cached

FROM tools AS middle
FROM ${ROOT} AS final
COPY --from=tools /out /opt/out
COPY --from=shelf book.txt /opt/book.txt
COPY . /opt/context
RUN --mount=type=secret,id=token copy /run/secrets/token /dev/null && cat /run/secrets/token
RUN <<EOT
write /opt/first one
write /opt/second two
EOT
COPY <<EOT /opt/here.txt
here
EOT
ENV KEY=value
USER 1000
CMD ["/bin/sh"]
`

func TestDockerfileFeatures(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	base := run(t, e, build.Options{Context: files{"Dockerfile": "FROM scratch\nCOPY sh /bin/sh\nENV BASE=yes\n"}.write(t)})

	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := &events{}
	o := build.Options{
		Context:  files{"Dockerfile": everything, "kept.txt": "kept", "left/out.txt": "no", ".dockerignore": "left\nsh\nDockerfile\n.dockerignore\n"}.write(t),
		Layout:   filepath.Join(t.TempDir(), "layout"),
		Args:     map[string]string{"WORD": "hallmark"},
		Labels:   map[string]string{"org.example.team": "platform"},
		Secrets:  map[string]secret.Ref{"token": secret.Ref("file:" + token)},
		Contexts: map[string]string{"base": "oci-layout://" + base.Layout, "shelf": files{"book.txt": "a book"}.write(t)},
	}
	candidate, err := build.Run(progress.With(t.Context(), seen), e, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, seen.text())
	}
	img := image(t, candidate, "")
	got := content(t, img)
	for name, want := range map[string]string{
		"opt/out/word": "hallmark\n", "opt/out/cached": "yes\n", "opt/book.txt": "a book", "opt/context/kept.txt": "kept",
		"opt/first": "one\n", "opt/second": "two\n", "opt/here.txt": "here\n",
	} {
		if got[name] != want {
			t.Errorf("%s holds %q, want %q", name, got[name], want)
		}
	}
	for name, text := range got {
		if strings.Contains(name, "out.txt") || strings.Contains(text, "s3cret") || strings.Contains(name, "host-ca") {
			t.Errorf("%s should not be in the image", name)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"BASE=yes", "KEY=value"}; !slices.Contains(config.Config.Env, want[0]) || !slices.Contains(config.Config.Env, want[1]) || len(config.Config.Env) > 3 {
		t.Errorf("environment %q, want PATH and %q", config.Config.Env, want)
	}
	if config.Config.User != "1000" || config.Config.Labels["org.example.team"] != "platform" {
		t.Errorf("configuration %+v", config.Config)
	}
	if text := seen.text(); strings.Contains(text, "s3cret") || !strings.Contains(text, "***") {
		t.Errorf("the secret is not masked in what people see:\n%s", text)
	}
	wantBases := []build.Base{{Ref: "oci-layout://" + base.Layout, Digest: base.Digest, Pinned: true, Context: "base", Line: 3}}
	if diff := cmp.Diff(wantBases, candidate.Bases); diff != "" {
		t.Errorf("bases (-want +got):\n%s", diff)
	}
	checkSteps(t, candidate)
}

// checkSteps makes sure that each layer of the image's own is pinned on the line that made it.
func checkSteps(t *testing.T, candidate *build.Candidate) {
	t.Helper()
	config, err := image(t, candidate, "").ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int]string{}
	for _, step := range candidate.Steps {
		lines[step.Line] = step.Layer
	}
	want := map[int]int{10: 1, 11: 2, 12: 3, 13: 4, 14: 5, 18: 6} // line to layer
	for line, layer := range want {
		if lines[line] != config.RootFS.DiffIDs[layer].String() {
			t.Errorf("line %d made %q, want layer %d", line, lines[line], layer)
		}
	}
	for _, line := range []int{21, 22, 23} {
		if layer, found := lines[line]; !found || layer != "" {
			t.Errorf("line %d: found %v, layer %q; want a step without a layer", line, found, layer)
		}
	}
}

func TestSameInputsSameDigest(t *testing.T) {
	t.Parallel()
	dockerfile := "FROM scratch\nCOPY sh /bin/sh\nRUN write /made/by/step text\nCOPY data /data\nWORKDIR /made\nLABEL a=b\n"
	var digests []string
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, []byte("the host's certificates\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, o := range []engine.Options{{CABundle: bundle}, {CABundle: engine.NoCABundle, Snapshotter: "native"}} {
		// Two engines that know nothing of each other, as on two machines, two folders, two times.
		o.Root = t.TempDir()
		e := enginetest.StartWith(t, o)
		context := files{"Dockerfile": dockerfile, "data/one": "1", "data/two": "2"}.write(t)
		digests = append(digests, run(t, e, build.Options{Context: context}).Digest)
		time.Sleep(1100 * time.Millisecond)
	}
	if digests[0] != digests[1] {
		t.Errorf("the same inputs give %s and %s", digests[0], digests[1])
	}
}

func TestSourceDateIsHonored(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	date := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	candidate := run(t, e, build.Options{
		Context:         files{"Dockerfile": "FROM scratch\nARG SOURCE_DATE_EPOCH\nCOPY sh /bin/sh\nRUN write /date $SOURCE_DATE_EPOCH\n"}.write(t),
		SourceDateEpoch: &date,
	})
	img := image(t, candidate, "")
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if !config.Created.Equal(date) || !candidate.SourceDateEpoch.Equal(date) || !candidate.LayerEpoch.Equal(date) {
		t.Errorf("created %s, want %s", config.Created, date)
	}
	for _, entry := range config.History {
		if !entry.Created.Equal(date) {
			t.Errorf("history %+v", entry)
		}
	}
	if got := content(t, img)["date"]; got != "1709208000\n" {
		t.Errorf("the step saw the date %q", got)
	}
}

// inodes says which file each blob of a layout is.
func inodes(t *testing.T, layout string) map[string]uint64 {
	t.Helper()
	out := map[string]uint64{}
	found, err := filepath.Glob(filepath.Join(layout, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = info.Sys().(*syscall.Stat_t).Ino
	}
	return out
}

func TestSecondBuildWritesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t) // its steps are counted: an engine merges equal ones of several builds
	context := files{"Dockerfile": "FROM scratch\nCOPY sh /bin/sh\nRUN write /first step\nCOPY data /data\n", "data": "one"}.write(t)
	layout := filepath.Join(t.TempDir(), "layout")
	first := run(t, e, build.Options{Context: context, Layout: layout})
	before := inodes(t, layout)

	same := run(t, e, build.Options{Context: context, Layout: layout})
	if diff := cmp.Diff(before, inodes(t, layout)); same.Digest != first.Digest || diff != "" {
		t.Errorf("the same build again gives %s after %s, and other files:\n%s", same.Digest, first.Digest, diff)
	}
	if same.CachedSteps != same.TotalSteps || same.TotalSteps != 3 {
		t.Errorf("%d of %d steps came from the cache, want all 3", same.CachedSteps, same.TotalSteps)
	}

	if err := os.WriteFile(filepath.Join(context, "data"), []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	changed := run(t, e, build.Options{Context: context, Layout: layout})
	after := inodes(t, layout)
	kept := 0
	for name, inode := range after {
		if before[name] == inode {
			kept++
		}
	}
	// Five blobs: three layers, a configuration, a manifest. Two layers stay; nothing old is left.
	if changed.Digest == first.Digest || kept != 2 || len(after) != 5 {
		t.Errorf("after a change in the last layer %d of %d blobs are the same files, want 2 of 5", kept, len(after))
	}
	if got := content(t, image(t, changed, ""))["data"]; got != "two" {
		t.Errorf("data holds %q", got)
	}
	if left, _ := filepath.Glob(filepath.Join(layout, ".hallmark-export*")); len(left) > 0 {
		t.Errorf("scratch files are left: %q", left)
	}
}

func TestHostCertificatesReachStepsAndNoLayer(t *testing.T) {
	t.Parallel()
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, []byte("the host's certificates\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := enginetest.StartWith(t, engine.Options{Root: t.TempDir(), CABundle: bundle})
	dockerfile := "FROM scratch\nCOPY sh /bin/sh\nENV PIP_CERT=/own.pem\nRUN copy $SSL_CERT_FILE /seen && write /pip $PIP_CERT\nRUN list /dev\n"
	candidate := run(t, e, build.Options{Context: files{"Dockerfile": dockerfile}.write(t)})
	img := image(t, candidate, "")
	got := content(t, img)
	if got["seen"] != "the host's certificates\n" || got["pip"] != "/own.pem\n" {
		t.Errorf("the step saw %q and %q", got["seen"], got["pip"])
	}
	for _, name := range names(got) {
		if strings.HasPrefix(name, "dev/") && name != "dev/" {
			t.Errorf("%s is in a layer", name)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(config.Config.Env, " "); strings.Contains(text, "SSL_CERT_FILE") {
		t.Errorf("the image's environment is %q", text)
	}
}

func TestPlatformsMakeAnIndex(t *testing.T) {
	t.Parallel()
	candidate := run(t, enginetest.Shared(t), build.Options{
		Context:   files{"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY for-$TARGETARCH /arch\n", "for-amd64": "amd", "for-arm64": "arm"}.write(t),
		Platforms: []string{"linux/amd64", "linux/arm64"},
	})
	if !strings.Contains(candidate.MediaType, "index") {
		t.Errorf("media type %s", candidate.MediaType)
	}
	for platform, want := range map[string]string{"linux/amd64": "amd", "linux/arm64": "arm"} {
		if got := content(t, image(t, candidate, platform))["arch"]; got != want {
			t.Errorf("%s holds %q, want %q", platform, got, want)
		}
	}
}

func TestCompressions(t *testing.T) {
	t.Parallel()
	context := files{"Dockerfile": "FROM scratch\nCOPY text /text\n", "text": strings.Repeat("text", 1000)}.write(t)
	for compression, want := range map[build.Compression]string{
		build.Gzip: "application/vnd.oci.image.layer.v1.tar+gzip", build.Zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
		build.None: "application/vnd.oci.image.layer.v1.tar",
	} {
		t.Run(string(compression), func(t *testing.T) {
			t.Parallel()
			candidate := run(t, enginetest.Shared(t), build.Options{Context: context, Compression: compression})
			manifest := readBlob[ocispecs.Manifest](t, candidate, candidate.Digest)
			if got := manifest.Layers[0].MediaType; got != want {
				t.Errorf("media type %s, want %s", got, want)
			}
			config := readBlob[ocispecs.Image](t, candidate, manifest.Config.Digest.String())
			if got := uncompressedDigest(t, candidate, manifest.Layers[0], compression); got != config.RootFS.DiffIDs[0] {
				t.Errorf("the layer is %s, the configuration says %s", got, config.RootFS.DiffIDs[0])
			}
		})
	}
}

func readBlob[T any](t *testing.T, c *build.Candidate, sum string) (out T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Layout, "blobs", "sha256", strings.TrimPrefix(sum, "sha256:")))
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func uncompressedDigest(t *testing.T, c *build.Candidate, layer ocispecs.Descriptor, compression build.Compression) digest.Digest {
	t.Helper()
	file, err := os.Open(filepath.Join(c.Layout, "blobs", "sha256", layer.Digest.Encoded()))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var body io.Reader = file
	switch compression {
	case build.Gzip:
		body, err = gzip.NewReader(file)
	case build.Zstd:
		body, err = zstd.NewReader(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	sum, err := digest.FromReader(body)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestCacheTravelsInAFolder(t *testing.T) {
	t.Parallel()
	context := files{"Dockerfile": "FROM scratch\nCOPY sh /bin/sh\nRUN write /slow result\n"}.write(t)
	cache := filepath.Join(t.TempDir(), "cache")
	first := run(t, enginetest.Start(t), build.Options{Context: context, CacheTo: []build.Cache{{Type: "local", Attrs: map[string]string{"dest": cache, "mode": "max"}}}})
	second := run(t, enginetest.Start(t), build.Options{Context: context, CacheFrom: []build.Cache{{Type: "local", Attrs: map[string]string{"src": cache}}}})
	if second.CachedSteps != 2 || second.Digest != first.Digest {
		t.Errorf("with the cache of another engine %d of %d steps are cached, and %s is %s", second.CachedSteps, second.TotalSteps, second.Digest, first.Digest)
	}
}

func TestLayoutOnAnotherFileSystem(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	dir, err := os.MkdirTemp("/dev/shm", "hallmark-layout-")
	if err != nil {
		t.Skipf("SKIPPED: no second file system to write to: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	context := files{"Dockerfile": "FROM scratch\nCOPY sh /bin/sh\n"}.write(t)
	far := run(t, e, build.Options{Context: context, Layout: filepath.Join(dir, "layout")})
	near := run(t, e, build.Options{Context: context})
	image(t, far, "")
	if far.Digest != near.Digest {
		t.Errorf("%s there, %s here", far.Digest, near.Digest)
	}
}
