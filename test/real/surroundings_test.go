//go:build real

package real

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/scan/advisories"
)

// inconclusive fails the test unless the run blames nobody, moves nothing and says what to do now.
func inconclusive(t *testing.T, o outcome, step string) {
	t.Helper()
	o.want(t, 3)
	if o.report.Verdict != "inconclusive" || o.report.Next == "" {
		t.Errorf("verdict %q, next %q: %s", o.report.Verdict, o.report.Next, o)
	}
	if failed := o.step(t, step); failed.State != "failed" || failed.Verdict != "inconclusive" || failed.Reason == "" {
		t.Errorf("step %s: %s %s %s", step, failed.State, failed.Verdict, failed.Reason)
	} else {
		t.Log(failed.Reason)
	}
	for _, g := range o.report.Golden {
		if g.Move != "untouched" {
			t.Errorf("golden %+v", g)
		}
	}
	for _, finding := range o.report.Findings {
		if finding.Blocking {
			t.Errorf("it blames the image: %+v", finding)
		}
	}
}

// resumed fails the test unless the run skipped the given steps, and finished the job.
func resumed(t *testing.T, h home, o outcome, skipped ...string) {
	t.Helper()
	o.want(t, 0)
	for _, name := range skipped {
		if step := o.step(t, name); step.State != "skipped" || step.Reason == "" {
			t.Errorf("step %s of the second run: %s %s %s", name, step.State, step.Detail, step.Reason)
		}
	}
	isGolden(t, h, o)
}

func TestRegistryGoesDown(t *testing.T) {
	t.Parallel()
	registry := newFar(t, nil)
	for _, test := range []struct {
		step    string
		skipped []string
	}{
		{"upload", []string{"build"}},
		{"launch", []string{"build", "check", "scan", "upload", "stage"}},
		{"promote", []string{"build", "check", "scan", "upload", "stage", "launch"}},
	} {
		t.Run("at "+test.step, func(t *testing.T) {
			h, project := newHome(t), tiny{image: registry.addr + "/tiny-" + test.step}.project(t)
			first := h.start(t, at(begins(test.step), func(*call) { registry.down() }), "run", project).end(t)
			registry.up(t)
			inconclusive(t, first, test.step)
			resumed(t, h, h.call(t, "run", project), test.skipped...)
		})
	}
}

// A registry that is down from the beginning cannot be asked what stands already; the gates speak all the same.
func TestRegistryIsDown(t *testing.T) {
	t.Parallel()
	h, registry := newHome(t), newFar(t, nil)
	project := tiny{image: registry.addr + "/tiny"}.project(t)
	registry.down()
	inconclusive(t, h.call(t, "run", project), "upload")
	registry.up(t)
	resumed(t, h, h.call(t, "run", project), "build")
}

func TestDatabaseUnreachable(t *testing.T) {
	t.Parallel()
	h, registry := newHome(t), newFar(t, nil)
	project := tiny{}.project(t)
	database := registry.addr + "/mirror/trivy-db:2"
	registry.down()
	args := []string{"run", project, "--set", "scan.database.from=" + database}
	first := h.call(t, args...)
	inconclusive(t, first, "scan")
	if first.report.StagingTag != "" || !strings.Contains(first.step(t, "scan").Reason, database) {
		t.Errorf("staging tag %q, reason %q", first.report.StagingTag, first.step(t, "scan").Reason)
	}
	registry.up(t)
	pushDatabase(t, database)
	second := h.call(t, args...)
	resumed(t, h, second, "build")
	if got := second.report.Scan.Database; got.Source != database || !strings.HasPrefix(got.Digest, "sha256:") {
		t.Errorf("database %+v", got)
	}
}

// pushDatabase puts a vulnerability database of today into a registry.
func pushDatabase(t *testing.T, ref string) {
	t.Helper()
	set, err := advisories.Parse([]byte("updated: " + time.Now().UTC().Format(time.DateOnly) + `
advisories:
- {id: CVE-2011-3374, in: debian 12, package: apt, severity: low, title: for the tests, published: 2019-11-26}
`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := set.Write(dir); err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	zipped := gzip.NewWriter(&body)
	archive := tar.NewWriter(zipped)
	for _, file := range []string{"trivy.db", "metadata.json"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := archive.WriteHeader(&tar.Header{Name: file, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		_, _ = archive.Write(text)
	}
	_ = archive.Close()
	_ = zipped.Close()
	const layer = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.aquasec.trivy.config.v1+json")
	if img, err = mutate.Append(img, mutate.Addendum{Layer: static.NewLayer(body.Bytes(), layer), MediaType: layer}); err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to, img); err != nil {
		t.Fatal(err)
	}
}

func TestEngineKilled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		step, folder string
		moment       func(progress.Event) bool
		skipped      []string
	}{
		{"build", "engine", amidTheBuild, nil},
		{"launch", "launch", begins("probe run"), []string{"build", "check", "scan", "upload", "stage"}},
	} {
		t.Run("amid the "+test.step, func(t *testing.T) {
			t.Parallel()
			h, project := newHome(t), tiny{slow: true, probe: longProbe}.project(t)
			first := h.start(t, at(test.moment, func(*call) { go killEngineSoon(t, h, test.folder) }), "run", project).end(t)
			inconclusive(t, first, test.step)
			nothingLeft(t, h)
			resumed(t, h, h.call(t, "run", project), test.skipped...)
		})
	}
}

// longProbe is asked for some seconds.
const longProbe = `run: [/service, sleep, "6"]`

// killEngineSoon kills once the container that the moment speaks of surely runs.
func killEngineSoon(t *testing.T, h home, folder string) {
	time.Sleep(time.Second)
	killEngine(t, h, folder)
}
