package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Each limited container gets a control group of its own, in which the runtime makes the container's. Limits on the
// outer group hold for all that is inside, and its counters are still there when the runtime has removed the inner
// one: that is how a kill for want of memory is told from any other.

// cgroups makes such groups: version 1 and version 2 of the kernel's interface differ in every file.
type cgroups interface {
	// create makes the group name (relative to the hierarchy's root) and sets limits; what did not work is in report.
	create(name string, limits Limits) group
	// hierarchies are the folders below which groups lie, for the sweep.
	hierarchies() []string
}

// group is one container's outer control group.
type group interface {
	parent() string                // what the runtime is told; empty: no group could be made
	report() SandboxReport         // which limits hold
	observe(report *SandboxReport) // what the kernel counted; to be called before remove
	remove()
}

const cgroupMount = "/sys/fs/cgroup"

// detectCgroups looks at what is mounted at root.
func detectCgroups(root string) cgroups {
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		return cgroupsV2{root: root}
	}
	return cgroupsV1{root: root}
}

// openGroups makes the hierarchies writable for this process's mount namespace: container runtimes show them read-only to
// containers that are not privileged. The runtime starts nothing without a group, and says so as if the image had failed.
func openGroups(hierarchies []string) error {
	for _, dir := range hierarchies {
		if !readOnlyAt(dir) {
			continue
		}
		var stat unix.Statfs_t
		err := unix.Statfs(dir, &stat)
		if err == nil {
			// What else the mount forbids stays forbidden: statfs tells that by the same bits.
			kept := uintptr(stat.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
			err = unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|kept, "")
		}
		if err != nil {
			return fmt.Errorf("the control groups at %s are read-only, and cannot be made writable: %w. Give the container that this runs in the rights of --privileged, or set BUILDKIT_HOST", dir, err)
		}
	}
	return nil
}

// readOnlyAt says whether a hierarchy is shown read-only.
func readOnlyAt(dir string) bool { return errors.Is(unix.Access(dir, unix.W_OK), unix.EROFS) }

// cgroupName is the group of everything that the engine on the state folder root starts: by it the next engine finds
// what a dead one left.
func cgroupName(root string) string {
	sum := sha256.Sum256([]byte(root))
	return "hallmark/" + hex.EncodeToString(sum[:6])
}

// set writes one value and reads it back; the kernel may round, so close is told how much off is fine.
func set(file string, value int64, slack int64) error {
	if err := os.WriteFile(file, []byte(strconv.FormatInt(value, 10)), 0o644); err != nil {
		return plain(err)
	}
	got, err := readInt(file)
	if err != nil {
		return err
	}
	if got < value-slack || got > value+slack {
		return fmt.Errorf("%s reads %d after %d was written", filepath.Base(file), got, value)
	}
	return nil
}

func readInt(file string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, plain(err)
	}
	value, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s reads %q", filepath.Base(file), strings.TrimSpace(string(text)))
	}
	return value, nil
}

// readField finds "name value" in a file of such lines.
func readField(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, plain(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			return strconv.ParseInt(value, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s does not say %q", filepath.Base(file), name)
}

// plain shortens a path error to what people need: which file, and why.
func plain(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return fmt.Errorf("%s: %w", filepath.Base(e.Path), e.Err)
	}
	return err
}

func held(asked string, err error) Held {
	if err != nil {
		return Held{Asked: asked, Reason: err.Error()}
	}
	return Held{Asked: asked, Enforced: true}
}

const (
	cpuPeriod = 100_000 // microseconds, the kernel's default
	pageSlack = 64 << 10
)

func cpuQuota(cpus float64) int64 { return max(int64(cpus*cpuPeriod), 1000) }

func (l Limits) memoryText() string { return strconv.FormatInt(l.Memory, 10) + " bytes" }
func (l Limits) cpusText() string   { return strconv.FormatFloat(l.CPUs, 'g', -1, 64) }
func (l Limits) pidsText() string   { return strconv.FormatInt(l.PIDs, 10) }

// removeTree removes a control group with those below it, killing what still runs there. It waits a little for
// processes to be gone; what stays is left for the next sweep.
func removeTree(dir string, kill bool) error {
	for attempt := 0; ; attempt++ {
		err := removeOnce(dir, kill)
		if err == nil || attempt == 40 {
			return err
		}
		time.Sleep(25 * time.Millisecond)
	}
}

func removeOnce(dir string, kill bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return plain(err)
	}
	var all error
	for _, entry := range entries {
		if entry.IsDir() {
			all = errors.Join(all, removeOnce(filepath.Join(dir, entry.Name()), kill))
		}
	}
	if kill {
		killGroup(dir)
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		all = errors.Join(all, fmt.Errorf("removing the control group %s: %w", dir, err))
	}
	return all
}

func killGroup(dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 0 && pid != os.Getpid() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}
