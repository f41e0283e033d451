//go:build real

package real

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// engineVerb is the hidden verb under which the program is its own engine.
const engineVerb = "__engine"

// nothingLeft fails the test unless, within some seconds, no process, no container and no mount of the home is left.
func nothingLeft(t *testing.T, h home) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if left = leftOf(h); len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left behind in %s:\n%s", h.dir, strings.Join(left, "\n"))
			return
		}
	}
}

// leftOf lists what still runs or is mounted.
func leftOf(h home) (left []string) {
	for _, pid := range processes() {
		if belongs(pid, h) {
			left = append(left, fmt.Sprintf("process %d: %s", pid, cmdline(pid)))
		}
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, " "+h.dir+"/") {
			left = append(left, "mount: "+strings.TrimSpace(line))
		}
	}
	return append(left, groupsOf(h)...)
}

// groupsOf are the processes in control groups of the home's engines: the containers.
func groupsOf(h home) (left []string) {
	for _, root := range []string{"engine", "launch"} {
		sum := sha256.Sum256([]byte(filepath.Join(h.dir, root)))
		name := hex.EncodeToString(sum[:6])
		_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() || entry.Name() != name || filepath.Base(filepath.Dir(path)) != "hallmark" {
				return nil
			}
			_ = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.Name() == "cgroup.procs" {
					if pids, _ := os.ReadFile(path); len(pids) > 0 {
						left = append(left, fmt.Sprintf("control group %s with processes %q", path, pids))
					}
				}
				return nil
			})
			return filepath.SkipDir
		})
	}
	return left
}

func processes() (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

func cmdline(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}

// belongs says whether a process works on the home: by its environment; or, of the program and its runtime, by what it
// has open there. Whoever else looks into the folder is no concern of ours.
func belongs(pid int, h home) bool {
	environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if strings.Contains("\x00"+string(environ), "\x00HALLMARK_HOME="+h.dir+"\x00") {
		return true
	}
	executable, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if executable != program && !strings.HasPrefix(executable, h.dir+"/") {
		return false
	}
	descriptors, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range descriptors {
		if file, _ := os.Readlink(fd); strings.HasPrefix(file, h.dir+"/") {
			return true
		}
	}
	return false
}

// killEngine ends the engine on one of the home's folders, "engine" or "launch", as the kernel would for want of memory.
func killEngine(t *testing.T, h home, folder string) {
	for _, pid := range processes() {
		if strings.HasSuffix(cmdline(pid), " "+engineVerb) && belongs(pid, home{dir: filepath.Join(h.dir, folder)}) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Errorf("killing the engine: %v", err)
			}
			return
		}
	}
	t.Errorf("there is no engine on %s to kill", folder)
}
