package build

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// rawLayer is a layer as Docker's classic store writes it: with names of owners, and the kind of file in the mode.
func rawLayer(t testing.TB, name, body string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	header := &tar.Header{
		Name: name, Typeflag: tar.TypeReg, Size: int64(len(body)), Mode: 0o100644, Uname: "root", Gname: "root",
		ModTime: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Format: tar.FormatPAX,
	}
	if err := errors.Join(w.WriteHeader(header), func() error { _, err := io.WriteString(w, body); return err }(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// classic is a build whose result lies in the classic store of a fake daemon: a base of one layer, and one of its own.
type classic struct {
	docker   *enginetest.Docker
	store    *dockerStore
	frontend []byte
	base     ocispecs.Image
	saves    int
	spoil    func([]entry) []entry
	response map[string]string
}

func newClassic(t *testing.T) *classic {
	t.Helper()
	c := &classic{}
	image := newSavedImage(t, rawLayer(t, "base", "of the base"), rawLayer(t, "own", "of the build"))
	var config ocispecs.Image
	if err := json.Unmarshal([]byte(image.config), &config); err != nil {
		t.Fatal(err)
	}
	c.base = config
	c.base.RootFS.DiffIDs = image.diffs[:1]
	c.base.History = config.History[:1]
	config.RootFS = ocispecs.RootFS{}
	config.Config.Labels = map[string]string{"kept": "yes"}
	var err error
	if c.frontend, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}

	settings := enginetest.DockerSettings{Images: map[string]enginetest.DockerImage{}}
	c.docker = enginetest.NewDocker(t, settings)
	c.store = newDockerStore(c.docker.Connect(t))
	result := gateway.NewResult()
	result.AddMeta(exptypes.ExporterImageConfigKey, c.frontend)
	if err := c.store.sign(result); err != nil {
		t.Fatal(err)
	}

	// What Docker does with it: layers and dates go in.
	marked := map[string]json.RawMessage{}
	if err := json.Unmarshal(result.Metadata[exptypes.ExporterImageConfigKey], &marked); err != nil {
		t.Fatal(err)
	}
	if marked["rootfs"], err = json.Marshal(ocispecs.RootFS{Type: "layers", DiffIDs: image.diffs}); err != nil {
		t.Fatal(err)
	}
	marked["created"] = json.RawMessage(`"2031-01-01T00:00:00Z"`)
	text, err := json.Marshal(marked)
	if err != nil {
		t.Fatal(err)
	}
	image.config, image.id = string(text), digest.FromBytes(text)
	c.response = map[string]string{exptypes.ExporterImageConfigDigestKey: image.id.String(), exptypes.ExporterImageDigestKey: image.id.String()}
	var names []string
	for _, sum := range image.diffs {
		names = append(names, sum.String())
	}
	settings.Images[image.id.String()] = enginetest.DockerImage{
		Labels: map[string]string{markLabel: c.store.mark}, Layers: names,
		Save: func(w io.Writer) error {
			c.saves++
			entries := image.old(t)
			if c.spoil != nil {
				entries = c.spoil(entries)
			}
			_, err := w.Write(archiveOf(t, entries...))
			return err
		},
	}
	return c
}

// fetch makes a candidate of it in the folder.
func (c *classic) fetch(t *testing.T, folder string) (ocispecs.Descriptor, error) {
	t.Helper()
	to := layoutFolder(folder)
	lock, err := to.open(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	a := &assembly{layout: to, refiner: newRefiner(to, Gzip), bases: map[string]ocispecs.Image{"": c.base}, referenced: map[digest.Digest]bool{}}
	if a.export, err = newExport(to, scratch, a.have, func(string, string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	defer a.export.close()
	exported, err := c.store.fetch(t.Context(), c.response, a)
	if err != nil {
		return exported, err
	}
	return a.root(t.Context(), exported)
}

func TestFetchedFromDocker(t *testing.T) {
	c := newClassic(t)
	folder := filepath.Join(t.TempDir(), "layout")
	first, err := c.fetch(t, folder)
	if err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest.String() != first.Digest.String() {
		t.Fatalf("%+v, %v", manifest, err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if labels := config.Config.Labels; len(labels) != 1 || labels["kept"] != "yes" {
		t.Errorf("labels %v: the mark of the build should be gone, and nothing else", labels)
	}
	if config.RootFS.DiffIDs[0].String() != c.base.RootFS.DiffIDs[0].String() {
		t.Error("the layer of the base has become another one")
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	own, err := layers[1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	header, err := tar.NewReader(own).Next()
	if err != nil || header.Uname != "" || header.Mode != 0o644 || header.ModTime.Year() != 1980 {
		t.Errorf("%+v, %v", header, err)
	}
	for i, layer := range layers {
		if media, err := layer.MediaType(); err != nil || !strings.HasSuffix(string(media), "+gzip") {
			t.Errorf("layer %d is %s, %v", i+1, media, err)
		}
	}

	// Once more: everything is known, nothing is fetched, and the image is the same.
	again, err := c.fetch(t, folder)
	if err != nil || again.Digest != first.Digest || c.saves != 1 {
		t.Errorf("%s, then %s after %d saves, %v", first.Digest, again.Digest, c.saves, err)
	}
	c.store.clean(t.Context(), true)
	if got := c.docker.Removed(); !slices.Equal(got, []string{c.response[exptypes.ExporterImageConfigDigestKey]}) {
		t.Errorf("removed %v", got)
	}
}

func TestFetchedFromDockerBroken(t *testing.T) {
	tests := map[string]struct {
		spoil func([]entry) []entry
		kill  bool
		code  string
		says  string
	}{
		"without a layer": {func(all []entry) []entry {
			return slices.DeleteFunc(all, func(e entry) bool { return strings.HasPrefix(e.name, "bbbb") })
		}, false, "engine.image", "layer 2"},
		"with another layer": {func(all []entry) []entry {
			for i := range all {
				if strings.HasSuffix(all[i].name, "/layer.tar") {
					all[i].body += "x"
				}
			}
			return all
		}, false, "engine.image", "its configuration says"},
		"a dead daemon": {nil, true, "engine.image", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newClassic(t)
			c.spoil = test.spoil
			if test.kill {
				c.docker.Die()
			}
			_, err := c.fetch(t, filepath.Join(t.TempDir(), "layout"))
			var found *verdict.Error
			if !errors.As(err, &found) || found.Verdict != verdict.Inconclusive || found.Code != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDockerRefuses(t *testing.T) {
	store := newDockerStore(enginetest.NewDocker(t, enginetest.DockerSettings{}).Connect(t))
	beside := newDockerStore(enginetest.NewDocker(t, enginetest.DockerSettings{Containerd: true}).Connect(t))
	layouts, err := resolveContexts(map[string]string{"base": "docker-image://base"}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		o    Options
		says string
	}{
		"two platforms": {Options{Platforms: []string{"linux/amd64", "linux/arm64"}}, "2 platforms"},
		"one platform":  {Options{Platforms: []string{"linux/amd64"}}, ""},
		"a cache":       {Options{CacheTo: []Cache{{Type: "local"}}}, "build.cache.to"},
		"from a cache":  {Options{CacheFrom: []Cache{{Type: "registry"}}}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := store.refuse(test.o, layouts)
			if test.says == "" && err != nil || test.says != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("%v", err)
			}
			if err := beside.refuse(test.o, layouts); err != nil {
				t.Errorf("containerd's store can: %v", err)
			}
		})
	}
}
