//go:build real

package real

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hallmark-ci/hallmark/pipeline"
)

// The three daemons that people have: an old one, the newest with the classic store, the newest with containerd's.
func TestDocker(t *testing.T) {
	t.Parallel()
	old, err := exec.LookPath("dockerd")
	if err != nil {
		t.Fatalf("these tests need a Docker daemon, containerd and runc: scripts/prerequisites test installs Debian's docker.io (%v)", err)
	}
	newest, err := exec.CommandContext(t.Context(), filepath.Join(top, "tools", "build"), "dockerd").Output()
	if err != nil {
		t.Fatalf("building dockerd: %v", err)
	}
	peer := strings.TrimSpace(string(newest))
	for _, test := range []struct {
		name, binary string
		args         []string
		classic      bool
	}{
		{"the distribution's", old, []string{"--storage-driver", "overlay2"}, true},
		{"newest, classic store", peer, []string{"--feature", "containerd-snapshotter=false", "--storage-driver", "overlay2"}, true},
		{"newest, containerd's store", peer, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := newDockerd(t, test.binary, test.args...)
			o := onDocker{d: d, classic: test.classic, registry: newFar(t, nil).addr}
			o.putBase(t)
			t.Run("copies", o.copies)
			t.Run("steps", o.steps)
			t.Run("run", o.golden)
			t.Run("not root", o.notRoot)
			t.Run("failing step", o.failingStep)
			t.Run("too much", o.tooMuch)
			if got := d.images(t); slices.Contains(got, "<none>") {
				t.Errorf("left in the store: %v", got)
			}
			t.Run("killed", o.killed) // the daemon's last
		})
	}
}

type onDocker struct {
	d        *dockerd
	classic  bool
	registry string
	layout   string // of the base
}

// putBase puts a base image into the registry, and into a layout: the service, and the folders that containers mount on.
func (o *onDocker) putBase(t *testing.T) {
	t.Helper()
	body, err := os.ReadFile(service)
	if err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, folder := range []string{"dev", "etc", "proc", "run", "run/secrets", "sys"} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: folder + "/", Typeflag: tar.TypeDir, Mode: 0o755}))
	}
	err = errors.Join(err, w.WriteHeader(&tar.Header{Name: "service", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(body))}))
	if _, e := w.Write(body); errors.Join(err, e, w.Close()) != nil {
		t.Fatal(err, e)
	}
	one, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, one)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file.OS, file.Architecture = "linux", "amd64"
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(o.registry + "/base:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	if o.layout, err = os.MkdirTemp(work, "base-"); err != nil {
		t.Fatal(err)
	}
	to, err := layout.Write(o.layout, empty.Index)
	if err == nil {
		err = to.AppendImage(image)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// project writes a project with the Dockerfile.
func (o *onDocker) project(t *testing.T, dockerfile string) string {
	t.Helper()
	dir := tiny{stamp: "stamp"}.project(t)
	text := strings.ReplaceAll(dockerfile, "BASE", o.registry+"/base:1")
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (o *onDocker) home(t *testing.T) home { return o.d.serves(t, newHome(t)) }

// build builds a project, and makes sure that the layout is an image.
func buildWith(t *testing.T, h home, engine, project string, more ...string) (pipeline.Built, v1.Image) {
	t.Helper()
	args := append([]string{"build", "--set", "engine.use=" + engine}, more...)
	if project != "" { // else more says where it is
		args = append(args, project)
	}
	called := h.call(t, args...).want(t, 0)
	var b pipeline.Built
	if err := json.Unmarshal(called.stdout, &b); err != nil {
		t.Fatal(err)
	}
	path, err := layout.FromPath(b.Layout)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := v1.NewHash(b.Digest)
	if err != nil {
		t.Fatal(err)
	}
	image, err := path.Image(sum)
	if err == nil {
		err = validate.Image(image)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b, image
}

const copies = `# syntax=docker/dockerfile:1
FROM scratch AS one
ARG WORD
COPY service /service
COPY stamp /${WORD}/stamp
FROM scratch
COPY --from=one --chown=12:13 / /opt
COPY --chmod=0600 <<EOT /note
here
EOT
COPY stamp /a-b
COPY stamp /a/b
LABEL org.example.word="x"
`

// What copies make is the same image whoever builds it, to the byte; and what is the user's in the store stays.
func (o *onDocker) copies(t *testing.T) {
	word := []string{"--build-arg", "WORD=hall"}
	h := o.home(t)
	first, image := buildWith(t, h, "docker", o.project(t, copies), word...)
	if !strings.Contains(first.Engine, o.d.version) || !strings.Contains(first.Engine, "context test") {
		t.Errorf("engine: %s", first.Engine)
	}
	var archive bytes.Buffer
	mine, err := name.NewTag("mine:1")
	if err == nil {
		err = tarball.Write(mine, image, &archive)
	}
	if err != nil {
		t.Fatal(err)
	}
	o.d.load(t, archive.Bytes())

	second, _ := buildWith(t, o.home(t), "docker", o.project(t, copies), append(word, "--no-cache")...)
	embedded, _ := buildWith(t, newHome(t), "embedded", o.project(t, copies), word...)
	again, _ := buildWith(t, h, "docker", o.project(t, copies), word...)
	t.Logf("Docker %s, twice %s, embedded %s", first.Digest, second.Digest, embedded.Digest)
	if first.Digest != second.Digest || first.Digest != embedded.Digest || first.Digest != again.Digest {
		t.Errorf("four builds: %s, %s, %s, %s", first.Digest, second.Digest, embedded.Digest, again.Digest)
	}
	if got := o.d.images(t); !slices.Equal(got, []string{"mine:1"}) {
		t.Errorf("in the store: %v, want only the user's", got)
	}
}

const steps = `FROM BASE
RUN --network=none --mount=type=secret,id=token ["/service", "measure", "/run/secrets/token", "/length"]
COPY stamp /stamp
RUN --network=none ["/service", "sleep", "2"]
COPY --chown=5:6 service /copied
`

// Steps run, see their secret, and leave what they should; copies on the same base are the embedded engine's.
func (o *onDocker) steps(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret-of-25-bytes-length"), 0o600); err != nil {
		t.Fatal(err)
	}
	more := []string{"--build-secret", "token=file:" + token}
	first, image := buildWith(t, o.home(t), "docker", o.project(t, steps), more...)
	second, _ := buildWith(t, o.home(t), "docker", o.project(t, steps), append(more, "--no-cache")...)
	embedded, reference := buildWith(t, newHome(t), "embedded", o.project(t, steps), more...)
	if first.Digest != second.Digest {
		t.Errorf("two builds: %s, %s", first.Digest, second.Digest)
	}
	if !o.classic && first.Digest != embedded.Digest {
		t.Errorf("%s, embedded %s", first.Digest, embedded.Digest)
	}
	got, want := diffs(t, image), diffs(t, reference)
	for _, layer := range []int{0, 2, 4} { // the base's and what was copied
		if got[layer] != want[layer] {
			t.Errorf("layer %d is %s, embedded %s", layer, got[layer], want[layer])
		}
	}
	if text := fileOf(t, image, "length"); text != "25\n" {
		t.Errorf("the step saw a secret of %q bytes", text)
	}
	t.Logf("the layers of steps: %s %s, embedded %s %s", got[1], got[3], want[1], want[3])
}

func diffs(t *testing.T, image v1.Image) (all []string) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, sum := range config.RootFS.DiffIDs {
		all = append(all, sum.String())
	}
	return all
}

func fileOf(t *testing.T, image v1.Image, wanted string) string {
	t.Helper()
	whole := mutate.Extract(image)
	defer whole.Close()
	for entries := tar.NewReader(whole); ; {
		header, err := entries.Next()
		if err != nil {
			t.Fatalf("%s: %v", wanted, err)
		}
		if header.Name == wanted {
			text, err := io.ReadAll(entries)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
}

// The whole way to the golden tag, with a launch of what Docker has built.
func (o *onDocker) golden(t *testing.T) {
	h := o.home(t)
	run := h.call(t, "run", o.project(t, steps[:strings.Index(steps, "RUN")]+labels), "--set", "engine.use=docker").want(t, 0)
	isGolden(t, h, run)
	if run.report.Engine.Name != "docker" {
		t.Errorf("engine %+v", run.report.Engine)
	}
	again := h.call(t, "run", o.project(t, steps[:strings.Index(steps, "RUN")]+labels), "--set", "engine.use=docker").want(t, 0)
	if again.report.Subject != run.report.Subject {
		t.Errorf("the digest is %s, before %s", again.report.Subject, run.report.Subject)
	}
}

const labels = `LABEL org.opencontainers.image.title="tiny" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/hallmark-ci/hallmark" org.opencontainers.image.revision="1"
USER 65532:65532
ENTRYPOINT ["/service"]
CMD ["serve"]
`

// Whoever is not root but may use Docker builds with it without having to say so.
func (o *onDocker) notRoot(t *testing.T) {
	const nobody = 65534
	dir := t.TempDir()
	own := filepath.Join(dir, "hallmark")
	body, err := os.ReadFile(program)
	if err == nil {
		err = errors.Join(os.WriteFile(own, body, 0o755), os.Chmod(o.d.socket, 0o666), os.Chmod(work, 0o711), os.Chmod(o.d.dir, 0o711))
	}
	for up := dir; err == nil && up != "/" && up != filepath.Clean(os.TempDir()); up = filepath.Dir(up) {
		err = os.Chmod(up, 0o755)
	}
	project := o.project(t, copies)
	err = errors.Join(err, os.Chmod(project, 0o755), os.Mkdir(filepath.Join(dir, "home"), 0o700), os.Chown(filepath.Join(dir, "home"), nobody, nobody))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), own, "build", project, "--build-arg", "WORD=hall", "--output", "json", "--progress", "plain")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir + "/home", "HALLMARK_HOME=" + dir + "/home", "DOCKER_HOST=unix://" + o.d.socket}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var b pipeline.Built
	if err := json.Unmarshal(out, &b); err != nil || !strings.Contains(b.Engine, "this is not root") {
		t.Errorf("%s, %v", out, err)
	}
}

// A step that fails is shown with its line and its output, and is the image's fault.
func (o *onDocker) failingStep(t *testing.T) {
	failed := o.home(t).call(t, "build", o.project(t, "FROM BASE\nCOPY stamp /stamp\n\nRUN --network=none [\"/service\", \"nonsense\"]\n"), "--set", "engine.use=docker").want(t, 1)
	for _, want := range []string{"Dockerfile:4: the step ended with exit code 1", `4 | RUN --network=none ["/service", "nonsense"]`, "> service: there is no command nonsense"} {
		if !strings.Contains(failed.said, want) {
			t.Errorf("it does not say %q:\n%s", want, failed.said)
		}
	}
	missing := o.home(t).call(t, "build", o.project(t, "FROM "+o.registry+"/nothing:1\n"), "--set", "engine.use=docker").want(t, 2)
	if !strings.Contains(missing.said, "nothing:1") {
		t.Error(missing.said)
	}
}

// What a store or a BuildKit cannot do is refused with what to do instead, and not blamed on the image.
func (o *onDocker) tooMuch(t *testing.T) {
	project := o.project(t, "FROM base\nCOPY stamp /stamp\n")
	context := "base=oci-layout://" + o.layout
	if !o.classic {
		first, _ := buildWith(t, o.home(t), "docker", project, "--build-context", context)
		embedded, _ := buildWith(t, newHome(t), "embedded", project, "--build-context", context)
		if first.Digest != embedded.Digest {
			t.Errorf("%s, embedded %s", first.Digest, embedded.Digest)
		}
		return
	}
	for _, more := range [][]string{{"--build-context", context}, {"--set", "build.platforms=[linux/amd64, linux/arm64]"}, {"--set", "build.cache.to=[\"type=local,dest=/nowhere\"]"}} {
		refused := o.home(t).call(t, append([]string{"build", project, "--set", "engine.use=docker"}, more...)...).want(t, 2)
		if !strings.Contains(refused.said, "containerd image store") {
			t.Errorf("%v: %s", more, refused.said)
		}
	}
	major, _, _ := strings.Cut(o.d.version, ".")
	if number, err := strconv.Atoi(major); err != nil || number >= 23 {
		t.Logf("Docker %s is not old enough to lack anything", o.d.version)
		return
	}
	for _, line := range []string{
		"COPY --exclude=service . /all/", "COPY --chmod=u+x stamp /stamp", "COPY --chmod=4755 stamp /stamp",
		`RUN --network=none --mount=type=tmpfs,target=/dev,size=1m ["/service", "say", "x"]`,
	} {
		older := o.home(t).call(t, "build", o.project(t, "FROM BASE\n"+line+"\n"), "--set", "engine.use=docker").want(t, 3)
		if !strings.Contains(older.said, "too old") || !strings.Contains(older.said, "Dockerfile:2") || !strings.Contains(older.said, "Take a newer Docker") {
			t.Errorf("%s: %s", line, older.said)
		}
	}
}

// A daemon that dies in the middle of a step is not the image's fault.
func (o *onDocker) killed(t *testing.T) {
	h := o.home(t)
	project := o.project(t, "FROM BASE\nRUN --network=none [\"/service\", \"sleep\", \"60\"]\n")
	cut := h.start(t, at(begins("[2/2] RUN"), func(*call) { o.d.kill() }), "run", project, "--set", "engine.use=docker", "--set", "launch=[]").end(t)
	inconclusive(t, cut, "build")
	if text := fmt.Sprint(cut.step(t, "build").Reason); !strings.Contains(text, "Docker's BuildKit") || cut.took.Seconds() > 50 {
		t.Errorf("after %s: %s", cut.took, text)
	}
}
