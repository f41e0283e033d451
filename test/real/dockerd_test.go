//go:build real

package real

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dockerd is a real Docker daemon for the length of a test: in namespaces of its own, so that its end is the end of
// everything that it started and mounted.
type dockerd struct {
	dir, group, socket string
	version            string
	cmd                *exec.Cmd
	http               *http.Client
}

// newDockerd starts the daemon and waits until it answers. It needs containerd and runc on PATH, as Debian's docker.io
// brings them (scripts/prerequisites test).
func newDockerd(t *testing.T, binary string, more ...string) *dockerd {
	t.Helper()
	dir, err := os.MkdirTemp(work, "dockerd-")
	if err != nil {
		t.Fatal(err)
	}
	d := &dockerd{dir: dir, socket: filepath.Join(dir, "docker.sock"), group: "hallmark-" + filepath.Base(dir)}
	d.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", d.socket)
	}}}
	args := append([]string{
		"--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL", binary,
		"--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"),
		"-H", "unix://" + d.socket, "--cgroup-parent", "/" + d.group, "--iptables=false", "--ip6tables=false", "--bridge=none",
	}, more...)
	d.cmd = exec.Command("unshare", args...)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of %s:\n%s", binary, tailOf(log.Name()))
		}
		d.leaveNothing(t)
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var info struct{ ServerVersion, Driver string }
		if d.ask("GET", "/info", nil, &info) == nil {
			d.version = info.ServerVersion
			t.Logf("%s: Docker %s, store %s", binary, info.ServerVersion, info.Driver)
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("Docker does not answer:\n%s", tailOf(log.Name()))
		}
	}
}

// kill ends the daemon with all that it runs, at once.
func (d *dockerd) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// leaveNothing ends the daemon, and fails the test if anything of it stays.
func (d *dockerd) leaveNothing(t *testing.T) {
	d.kill()
	var left []string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		left = nil
		for _, pid := range processes() {
			if strings.Contains(cmdline(pid), d.dir+"/") {
				left = append(left, cmdline(pid))
			}
		}
		mounts, _ := os.ReadFile("/proc/mounts")
		if strings.Contains(string(mounts), " "+d.dir+"/") {
			left = append(left, "mounts")
		}
		left = append(left, d.dropGroups()...)
		if len(left) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(left) > 0 {
		t.Errorf("left of Docker: %v", left)
	}
	if err := os.RemoveAll(d.dir); err != nil {
		t.Errorf("Docker's folder: %v", err)
	}
}

// dropGroups removes the daemon's control groups, deepest first, and returns those that are still in use.
func (d *dockerd) dropGroups() (left []string) {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/" + d.group)
	for _, root := range append(roots, "/sys/fs/cgroup/"+d.group) {
		var all []string
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				all = append(all, path)
			}
			return nil
		})
		slices.Reverse(all)
		for _, group := range all {
			if err := syscall.Rmdir(group); err != nil && err != syscall.ENOENT {
				left = append(left, group)
			}
		}
	}
	return left
}

// ask calls Docker's API. What it is sent is an archive, or else JSON.
func (d *dockerd) ask(method, path string, body io.Reader, into any) error {
	request, err := http.NewRequest(method, "http://docker"+path, body)
	if err != nil {
		return err
	}
	if strings.HasPrefix(path, "/images/load") {
		request.Header.Set("Content-Type", "application/x-tar")
	} else if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := d.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	switch said, isText := into.(*string); {
	case err != nil || into == nil:
	case isText:
		*said = string(text)
	default:
		err = json.Unmarshal(text, into)
	}
	return err
}

// images lists the tags of each image in the store; one without tags is "<none>".
func (d *dockerd) images(t *testing.T) (all []string) {
	t.Helper()
	var found []struct{ RepoTags []string }
	if err := d.ask("GET", "/images/json?all=1", nil, &found); err != nil {
		t.Fatal(err)
	}
	for _, one := range found {
		if len(one.RepoTags) == 0 {
			all = append(all, "<none>")
		}
		all = append(all, one.RepoTags...)
	}
	return all
}

// load puts an archive of an image into the store.
func (d *dockerd) load(t *testing.T, archive []byte) {
	t.Helper()
	if err := d.ask("POST", "/images/load?quiet=1", bytes.NewReader(archive), nil); err != nil {
		t.Fatal(err)
	}
}

// container is what a job system asks of Docker for a job.
type container struct {
	Image      string
	User       string
	Cmd        []string
	Env        []string
	WorkingDir string
	Tty        bool // its output comes as it is, without frames
	HostConfig struct {
		Binds, GroupAdd []string
		NetworkMode     string
		CapAdd          []string
		SecurityOpt     []string
	}
}

// job runs a container to its end, and returns its exit code and what it said.
func (d *dockerd) job(t *testing.T, c container) (code int, said string) {
	t.Helper()
	c.Tty, c.HostConfig.NetworkMode = true, "host"
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	if err := d.ask("POST", "/containers/create", bytes.NewReader(body), &made); err != nil {
		t.Fatal(err)
	}
	var ended struct{ StatusCode int }
	err = d.ask("POST", "/containers/"+made.ID+"/start", nil, nil)
	if err == nil {
		err = d.ask("POST", "/containers/"+made.ID+"/wait", nil, &ended)
	}
	err = errors.Join(err,
		d.ask("GET", "/containers/"+made.ID+"/logs?stdout=1&stderr=1", nil, &said),
		d.ask("DELETE", "/containers/"+made.ID+"?force=1", nil, nil))
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return ended.StatusCode, said
}

// serves makes the daemon the current context of Docker's configuration in the home.
func (d *dockerd) serves(t *testing.T, h home) home {
	t.Helper()
	sum := sha256.Sum256([]byte("test"))
	meta := filepath.Join(h.dir, "contexts", "meta", hex.EncodeToString(sum[:]))
	if err := os.MkdirAll(meta, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(h.dir, "config.json"): `{"currentContext": "test"}`,
		filepath.Join(meta, "meta.json"):    `{"Name": "test", "Endpoints": {"docker": {"Host": "unix://` + d.socket + `"}}}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return h
}
