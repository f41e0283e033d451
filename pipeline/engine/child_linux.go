package engine

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is the engine's process as the parent sees it.
type child struct {
	wire *wire
	cmd  *exec.Cmd
	root string        // the engine's state folder
	gone chan struct{} // closed when the process has ended
	err  error         // how; to be read after gone
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) done() <-chan struct{} { return c.gone }

func (c *child) log() string { return logPath(c.root) }

const (
	stopWait = 6 * time.Second // more than the engine's own graces together
	maxLog   = 4 << 20
	logTail  = 600
)

func logPath(root string) string { return filepath.Join(root, "engine.log") }

// spawn starts the engine in process and mount namespaces of its own.
func spawn(root string, locked *os.File) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program's own file: %w", err)
	}
	log, err := openLog(root)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	ours, theirs, err := pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	wire, err := newWire(ours)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, Verb)
	cmd.Env = childEnvironment(os.Environ())
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs, locked}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // a terminal's Ctrl-C is the parent's to deal with
	}
	c := &child{wire: wire, cmd: cmd, root: root, gone: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that started the child ends, so that thread is
		// kept for as long as the child lives.
		runtime.LockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		c.err = cmd.Wait()
		close(c.gone)
	}()
	if err := <-started; err != nil {
		_ = wire.conn.Close()
		return nil, fmt.Errorf("starting %s in namespaces of its own: %w", self, err)
	}
	return c, nil
}

// openLog appends to the engine's log, which starts anew when it has become long.
func openLog(root string) (*os.File, error) {
	path := logPath(root)
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		flags |= os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the engine's log: %w", err)
	}
	return file, nil
}

// passedOn are the variables that the engine needs; tokens and passwords that stand in the environment are not.
var passedOn = []string{
	"PATH", "HOME", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"GODEBUG", "GOMAXPROCS", "GOCOVERDIR",
}

func childEnvironment(env []string) []string {
	// The collector begins late, from the first moment on; softMemory bounds what that may cost.
	out := []string{"GOGC=400"}
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains(passedOn, strings.ToUpper(name)) {
			out = append(out, entry)
		}
	}
	return out
}

// stop lets go of the child, which then ends by itself; one that does not is killed. Its control groups go after it.
func (c *child) stop() {
	_ = c.wire.conn.Close()
	select {
	case <-c.gone:
	case <-time.After(stopWait):
		c.kill()
	}
	dropGroups(c.root, detectCgroups(cgroupMount))
}

// kill ends the child, and with it its namespaces, at once.
func (c *child) kill() {
	_ = c.wire.conn.Close()
	_ = c.cmd.Process.Kill()
	<-c.gone
}

// ended says whether the process is gone, waiting a little: a broken connection is noticed before its cause.
func (c *child) ended(wait time.Duration) bool {
	select {
	case <-c.gone:
		return true
	case <-time.After(wait):
		return false
	}
}

// explain says how the child ended instead of how its end was noticed, with its last words.
func (c *child) explain(err error) error {
	if !c.ended(time.Second) {
		return err
	}
	how := "it ended"
	if c.err != nil {
		how = "it ended: " + c.err.Error()
	}
	if words := lastWords(c.log()); words != "" {
		how += "; its last words: " + words
	}
	return fmt.Errorf("%s (%w)", how, err)
}

// lastWords is the end of the log, on one line.
func lastWords(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	tail := make([]byte, min(info.Size(), logTail))
	if _, err := file.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(tail), []byte("\n"))
	return string(lines[len(lines)-1])
}
