//go:build real

package real

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/moby/buildkit/client"

	"github.com/hallmark-ci/hallmark/pipeline"
)

// remoteToken is a build secret; no image and no builder may keep it.
const remoteToken = "a-token-that-only-one-step-may-see"

// features is a project whose build needs all that a builder must be able to do: steps that run, a secret, a folder and an
// OCI layout as named contexts, two stages.
func features(t *testing.T, base string) string {
	t.Helper()
	dir, err := os.MkdirTemp(work, "features-")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"token":          remoteToken,
		"shelf/book.txt": "a book",
		"hallmark.yaml": `image: features
build:
  source_date_epoch: 2026-01-01
  contexts: {base: "oci-layout://` + base + `", shelf: shelf}
  secrets: {token: "file:token"}
  args: {WORD: hallmark}
`,
		".dockerignore": "token\nhallmark.yaml\nDockerfile\n",
		"Dockerfile": `FROM base AS made
USER 0
ARG WORD
RUN ["/service", "sum", "/service", "/sum"]
RUN --mount=type=secret,id=token,target=/token ["/service", "sum", "/token", "/token.sum"]
FROM base
USER 0
COPY --from=made /sum /token.sum /made/
COPY --from=shelf book.txt /made/
COPY . /context
RUN ["/service", "sum", "/made/book.txt", "/made/book.sum"]
`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// built is what `hallmark build` says.
func built(t *testing.T, h home, project string, more ...string) pipeline.Built {
	t.Helper()
	o := h.call(t, append([]string{"build", project}, more...)...).want(t, 0)
	var b pipeline.Built
	if err := json.Unmarshal(o.stdout, &b); err != nil {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	return b
}

// A buildkitd builds what the embedded engine builds, byte for byte, and has no more of it afterwards than of any build.
func TestRemoteBuildKit(t *testing.T) {
	t.Parallel()
	embedded := newHome(t)
	base := filepath.Join(embedded.dir, "base")
	built(t, embedded, tiny{}.project(t), "--to", base)
	project := features(t, base)
	reference := built(t, embedded, project)
	daemon := newBuildkitd(t)

	for _, test := range []struct {
		name string
		env  []string
		args []string
	}{
		{"unix, by the environment", []string{"BUILDKIT_HOST=" + daemon.unix}, nil},
		{"tcp, by the environment", []string{"BUILDKIT_HOST=" + daemon.tcp}, []string{"--no-cache"}},
		{"tcp, by the configuration", nil, []string{"--set", "engine.use=" + daemon.tcp}},
	} {
		h := newHome(t)
		h.env = test.env
		to := filepath.Join(t.TempDir(), "image")
		b := built(t, h, project, append(test.args, "--to", to)...)
		if b.Digest != reference.Digest {
			t.Errorf("%s: it built %s, the embedded engine %s", test.name, b.Digest, reference.Digest)
		}
		if !strings.Contains(b.Engine, "BuildKit at "+daemon.unix) && !strings.Contains(b.Engine, "BuildKit at "+daemon.tcp) {
			t.Errorf("%s: built by %s", test.name, b.Engine)
		}
		if _, err := os.Stat(filepath.Join(h.dir, "engine")); !os.IsNotExist(err) {
			t.Errorf("%s: the embedded engine ran as well (%v)", test.name, err)
		}
		holdsTheSecretsSum(t, to)
	}
	daemon.isClean(t)
}

// holdsTheSecretsSum makes sure that the step saw the secret, and that nothing else of the image knows it.
func holdsTheSecretsSum(t *testing.T, dir string) {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatal(manifest, err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	all.Write(config)
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		body, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		body.Close()
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(remoteToken)))
	if !bytes.Contains(all.Bytes(), []byte(sum)) || bytes.Contains(all.Bytes(), []byte(remoteToken)) {
		t.Errorf("of the secret's sum: %t, of the secret: %t", bytes.Contains(all.Bytes(), []byte(sum)), bytes.Contains(all.Bytes(), []byte(remoteToken)))
	}
}

// isClean makes sure that the builder holds nothing but build cache that it may drop at any time, and knows no secret.
func (d *buildkitd) isClean(t *testing.T) {
	t.Helper()
	err := d.ask(t, func(ctx context.Context, c *client.Client) error {
		usage, err := c.DiskUsage(ctx)
		if err != nil {
			return err
		}
		if len(usage) == 0 {
			t.Error("it has no build cache at all: that proves nothing")
		}
		for _, record := range usage {
			if record.InUse {
				t.Errorf("still in use: %s, %s", record.ID, record.Description)
			}
		}
		return c.Prune(ctx, nil, client.PruneAll)
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = d.ask(t, func(ctx context.Context, c *client.Client) error {
		usage, err := c.DiskUsage(ctx)
		if err != nil || len(usage) > 0 {
			t.Errorf("after a prune it still holds %d records (%v)", len(usage), err)
		}
		return nil
	})
	seen := 0
	err = filepath.WalkDir(d.dir+"/state", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		body, err := os.ReadFile(path)
		seen++
		if bytes.Contains(body, []byte(remoteToken)) {
			t.Errorf("the secret lies in %s", path)
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Errorf("looked into %d files: %v", seen, err)
	}
}

// The whole sentence with a buildkitd in it, which dies the first time.
func TestRemoteBuildKitDies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		signal syscall.Signal
		within time.Duration
	}{
		{"killed", syscall.SIGKILL, 30 * time.Second},
		{"frozen", syscall.SIGSTOP, 3 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			daemon, h, project := newBuildkitd(t), newHome(t), tiny{slow: true}.project(t)
			h.env = []string{"BUILDKIT_HOST=" + daemon.tcp}
			first := h.start(t, at(amidTheBuild, func(*call) {
				time.Sleep(time.Second) // until its container surely runs
				daemon.signal(t, test.signal)
			}), "run", project).end(t)
			inconclusive(t, first, "build")
			if first.took > test.within {
				t.Errorf("it took %s to notice", first.took)
			}
			if reason := first.step(t, "build").Reason; !strings.Contains(reason, daemon.tcp) {
				t.Errorf("the reason does not name the builder: %s", reason)
			}
			daemon.kill()
			daemon.up(t)
			resumed(t, h, h.call(t, "run", project))
		})
	}
}
