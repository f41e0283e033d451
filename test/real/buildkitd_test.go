//go:build real

package real

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
)

// peer builds a program that Hallmark is tested with, once, and returns its path.
func peer(t *testing.T, name string) string {
	t.Helper()
	built := exec.CommandContext(t.Context(), filepath.Join(top, "tools", "build"), name)
	built.Stderr = os.Stderr
	out, err := built.Output()
	if err != nil {
		t.Fatalf("building %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

// runc is the runtime that the program embeds, as a file in a folder of its own.
var runc = sync.OnceValues(func() (folder string, err error) {
	packed, err := os.Open(filepath.Join(top, "pipeline", "engine", "runtime", runtime.GOARCH, "runc.gz"))
	if err != nil {
		return "", err
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		return "", err
	}
	folder = filepath.Join(work, "runc")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	file, err := os.OpenFile(filepath.Join(folder, "runc"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return "", err
	}
	defer file.Close()
	_, err = io.Copy(file, unpacked)
	return folder, err
})

// buildkitd is BuildKit's own daemon, on a folder of its own, with namespaces of its own so that it leaves nothing.
type buildkitd struct {
	unix, tcp string // its addresses
	dir       string
	cmd       *exec.Cmd
}

func newBuildkitd(t *testing.T) *buildkitd {
	t.Helper()
	dir, err := os.MkdirTemp(work, "buildkitd-")
	if err != nil {
		t.Fatal(err)
	}
	d := &buildkitd{dir: dir, unix: "unix://" + dir + "/sock", tcp: "tcp://" + freeAddress(t)}
	d.up(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("buildkitd.log:\n%s", tailOf(dir+"/log"))
		}
		d.kill()
	})
	return d
}

// up starts the daemon and waits until it answers.
func (d *buildkitd) up(t *testing.T) {
	t.Helper()
	path, err := runc()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(d.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd = exec.Command("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL", peer(t, "buildkitd"),
		"--root", d.dir+"/state", "--addr", d.unix, "--addr", d.tcp, "--containerd-worker=false", "--oci-worker-snapshotter", "overlayfs")
	d.cmd.Env = []string{"PATH=" + path + ":" + os.Getenv("PATH"), "HOME=" + d.dir, "XDG_RUNTIME_DIR=" + d.dir}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		err := d.ask(t, func(ctx context.Context, c *client.Client) error {
			_, err := c.ListWorkers(ctx)
			return err
		})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("buildkitd does not answer: %v\n%s", err, tailOf(d.dir+"/log"))
		}
	}
}

// ask asks the daemon itself, past Hallmark.
func (d *buildkitd) ask(t *testing.T, question func(context.Context, *client.Client) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := client.New(ctx, d.unix)
	if err != nil {
		return err
	}
	defer c.Close()
	return question(ctx, c)
}

// signal sends one to the daemon itself: the child of unshare.
func (d *buildkitd) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	pid, runs := d.process()
	if !runs {
		t.Error("there is no buildkitd to signal")
	} else if err := syscall.Kill(pid, s); err != nil {
		t.Errorf("signalling buildkitd: %v", err)
	}
}

// process is the daemon's own.
func (d *buildkitd) process() (pid int, runs bool) {
	for _, pid := range processes() {
		if line := cmdline(pid); strings.Contains(line, "buildkitd --root "+d.dir+"/state") && !strings.HasPrefix(line, "unshare ") {
			return pid, true
		}
	}
	return 0, false
}

// kill ends the daemon with all that runs on it, and waits until it has let go of its folder.
func (d *buildkitd) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	d.cmd = nil
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if d.letGo() {
			return
		}
	}
}

// letGo says whether the daemon's lock is free. That no process bears its name any more is not enough: one that is ending
// loses its name before its files.
func (d *buildkitd) letGo() bool {
	if _, runs := d.process(); runs {
		return false
	}
	file, err := os.OpenFile(d.dir+"/state/buildkitd.lock", os.O_RDWR, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
