//go:build real

package real

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/hallmark-ci/hallmark/pipeline"
)

// sums stand for the checksums of a release's programs.
const sums = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef  hallmark-linux-amd64.gz\n"

// The Dockerfile at the top, built, checked, scanned and launched by the program that is put into it, with the
// configuration of a release. Its launch runs `hallmark version` in it, as the user that the image names.
func TestOwnImage(t *testing.T) {
	h := newHome(t)
	base := ""
	for _, input := range demoInputs(t) {
		if at, found := strings.CutPrefix(input, "--build-context=debian:bookworm-slim="); found {
			base = at
		}
	}
	if base == "" {
		t.Fatal("the demo's inputs have no Debian base")
	}
	folder := t.TempDir()
	body, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "hallmark"), body, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(sums), 0o644); err != nil {
		t.Fatal(err)
	}
	inputs := []string{
		"--config", filepath.Join(top, ".github", "hallmark.yaml"), "--set", "image=hallmark",
		"--build-context", "debian:bookworm-slim=" + base,
		"--build-context", "golang:1.26-bookworm=" + base, // named in a stage that nothing needs, and looked up all the same
		"--build-context", "program=" + folder,
	}
	o := h.call(t, append([]string{"run"}, inputs...)...).want(t, 0)
	if len(o.report.Launches) != 1 || len(o.report.Launches[0].Probes) != 2 {
		t.Fatalf("want one launch with the probes `hallmark version` and `git --version`: %s", o)
	}
	for _, probe := range o.report.Launches[0].Probes {
		t.Logf("%+v", probe)
	}
	isGolden(t, h, o)
	t.Run("as a job's image", func(t *testing.T) { inJobs(t, h, inputs) })
}

// inJobs builds with the image as job systems would: as its own user or as another one, with a Docker socket or a BuildKit.
func inJobs(t *testing.T, h home, inputs []string) {
	binary, err := exec.LookPath("dockerd")
	if err != nil {
		t.Fatalf("this test needs a Docker daemon: scripts/prerequisites test installs Debian's docker.io (%v)", err)
	}
	docker, buildkit := newDockerd(t, binary, "--storage-driver", "overlay2"), newBuildkitd(t)
	_, own := buildWith(t, h, "embedded", "", inputs...)
	tag, err := name.NewTag("hallmark:own")
	var archive bytes.Buffer
	if err = errors.Join(err, tarball.Write(tag, own, &archive)); err != nil {
		t.Fatal(err)
	}
	docker.load(t, archive.Bytes())

	project := (&onDocker{d: docker}).project(t, copies)
	if err := os.Chmod(project, 0o755); err != nil { // for the image's user
		t.Fatal(err)
	}
	here, _ := buildWith(t, newHome(t), "embedded", project, "--build-arg", "WORD=hall")
	for _, job := range []struct {
		name, engine string
		change       func(*container)
	}{
		{"Docker's socket, as root without rights", docker.version, func(c *container) {
			c.User, c.HostConfig.Binds = "0", append(c.HostConfig.Binds, docker.socket+":/var/run/docker.sock")
		}},
		{"Docker's socket", docker.version, func(c *container) {
			c.HostConfig.Binds = append(c.HostConfig.Binds, docker.socket+":/var/run/docker.sock")
			c.HostConfig.GroupAdd = []string{strconv.Itoa(groupOf(t, docker.socket))}
		}},
		{"a BuildKit elsewhere", "BUILDKIT_HOST", func(c *container) { c.Env = []string{"BUILDKIT_HOST=" + buildkit.tcp} }},
	} {
		t.Run(job.name, func(t *testing.T) {
			c := container{Image: "hallmark:own", WorkingDir: "/builds/project"}
			c.Cmd = []string{"hallmark", "build", ".", "--build-arg", "WORD=hall", "--output", "json", "--progress", "quiet"}
			c.HostConfig.Binds = []string{project + ":/builds/project:ro"}
			job.change(&c)
			code, said := docker.job(t, c)
			var built pipeline.Built
			if err := json.Unmarshal([]byte(said), &built); code != 0 || err != nil {
				t.Fatalf("exit code %d, %v:\n%s", code, err, said)
			}
			if built.Digest != here.Digest || !strings.Contains(built.Engine, job.engine) {
				t.Errorf("made %s with %s, want %s with %s", built.Digest, built.Engine, here.Digest, job.engine)
			}
		})
	}
	if code, said := docker.job(t, container{Image: "hallmark:own", Cmd: []string{"cat", "/usr/share/hallmark/SHA256SUMS"}}); code != 0 || strings.TrimSpace(said) != strings.TrimSpace(sums) {
		t.Errorf("the release's checksums: exit code %d, %q", code, said)
	}
	t.Run("the whole sentence, with what is inside", func(t *testing.T) {
		c := container{Image: "hallmark:own", User: "0", Env: []string{"HALLMARK_SCAN_DATABASE_FROM=demo"}}
		c.Cmd = []string{"hallmark", "run", "/builds/tiny", "--progress", "plain"}
		c.HostConfig.Binds = []string{tiny{stamp: "in a job"}.project(t) + ":/builds/tiny:ro"}
		// Of what --privileged gives, what the engine needs: this machine may not have the rest itself.
		c.HostConfig.CapAdd = []string{"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"}
		c.HostConfig.SecurityOpt = []string{"seccomp=unconfined", "apparmor=unconfined"}
		code, said := docker.job(t, c)
		t.Log(said)
		if code != 0 || !strings.Contains(said, "is golden: ") {
			t.Errorf("exit code %d", code)
		}
	})
	for user, why := range map[string]string{"65532": "this is not root", "0": "it lacks CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_NET_ADMIN"} {
		t.Run("nothing to build with, as user "+user, func(t *testing.T) {
			c := container{Image: "hallmark:own", User: user, Cmd: []string{"hallmark", "build", "/builds/project"}}
			c.HostConfig.Binds = []string{project + ":/builds/project:ro"}
			if code, said := docker.job(t, c); code != 3 || !strings.Contains(said, "set BUILDKIT_HOST") || !strings.Contains(said, why) {
				t.Errorf("exit code %d, want 3 and a word of BUILDKIT_HOST, and that %s:\n%s", code, why, said)
			}
		})
	}
}

// groupOf is the group that a file belongs to.
func groupOf(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Gid)
}
