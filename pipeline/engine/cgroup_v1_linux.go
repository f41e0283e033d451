package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// cgroupsV1 has one hierarchy for each controller below root.
type cgroupsV1 struct{ root string }

func (c cgroupsV1) hierarchies() []string {
	entries, _ := os.ReadDir(c.root)
	var out []string
	for _, entry := range entries {
		if entry.IsDir() {
			out = append(out, filepath.Join(c.root, entry.Name()))
		}
	}
	return out
}

func (c cgroupsV1) create(name string, limits Limits) group {
	g := &groupV1{root: c.root, name: name}
	if limits.Memory > 0 {
		g.held.Memory = held(limits.memoryText(), g.limitMemory(limits.Memory))
	}
	if limits.CPUs > 0 {
		g.held.CPUs = held(limits.cpusText(), g.limitCPUs(limits.CPUs))
	}
	if limits.PIDs > 0 {
		g.held.PIDs = held(limits.pidsText(), g.limitPIDs(limits.PIDs))
	}
	return g
}

type groupV1 struct {
	root, name string
	made       []string
	held       SandboxReport
	oom        *os.File // an eventfd that counts the times the memory limit killed something; nil: none
}

func (g *groupV1) make(controller string) (string, error) {
	if _, err := os.Stat(filepath.Join(g.root, controller)); err != nil {
		return "", fmt.Errorf("the kernel's %s controller is not mounted at %s", controller, g.root)
	}
	dir := filepath.Join(g.root, controller, g.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", plain(err)
	}
	g.made = append(g.made, dir)
	return dir, nil
}

func (g *groupV1) limitMemory(bytes int64) error {
	dir, err := g.make("memory")
	if err != nil {
		return err
	}
	if err := set(filepath.Join(dir, "memory.limit_in_bytes"), bytes, pageSlack); err != nil {
		return err
	}
	// Memory and swap together. A kernel that does not account for swap has no such file; nothing is lost where
	// there is no swap either.
	err = set(filepath.Join(dir, "memory.memsw.limit_in_bytes"), bytes, pageSlack)
	if errors.Is(err, fs.ErrNotExist) {
		if hasSwap() {
			return errors.New("memory is limited, swap is not: the kernel does not account for it (boot with swapaccount=1)")
		}
		err = nil
	}
	g.watchOOM(dir)
	return err
}

// watchOOM asks the kernel to count on an event descriptor: the counters in memory.oom_control are only those of the
// inner group, which is gone when one could read it.
func (g *groupV1) watchOOM(dir string) {
	control, err := os.Open(filepath.Join(dir, "memory.oom_control"))
	if err != nil {
		return
	}
	defer control.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return
	}
	order := fmt.Sprintf("%d %d", fd, control.Fd())
	if err := os.WriteFile(filepath.Join(dir, "cgroup.event_control"), []byte(order), 0o644); err != nil {
		_ = unix.Close(fd)
		return
	}
	g.oom = os.NewFile(uintptr(fd), "oom-events")
}

func (g *groupV1) limitCPUs(cpus float64) error {
	dir, err := g.make("cpu")
	if err != nil {
		return err
	}
	if err := set(filepath.Join(dir, "cpu.cfs_period_us"), cpuPeriod, 0); err != nil {
		return err
	}
	return set(filepath.Join(dir, "cpu.cfs_quota_us"), cpuQuota(cpus), 0)
}

func (g *groupV1) limitPIDs(count int64) error {
	dir, err := g.make("pids")
	if err != nil {
		return err
	}
	return set(filepath.Join(dir, "pids.max"), count, 0)
}

func (g *groupV1) parent() string        { return "/" + g.name }
func (g *groupV1) report() SandboxReport { return g.held }

func (g *groupV1) observe(report *SandboxReport) {
	if g.oom != nil {
		count := make([]byte, 8)
		if n, err := unix.Read(int(g.oom.Fd()), count); err == nil && n == 8 {
			report.OOMKilled = binary.NativeEndian.Uint64(count) > 0
		}
	}
	report.MemoryPeak, _ = readInt(filepath.Join(g.root, "memory", g.name, "memory.max_usage_in_bytes"))
	report.PIDsPeak, _ = readInt(filepath.Join(g.root, "pids", g.name, "pids.peak"))
}

func (g *groupV1) remove() {
	if g.oom != nil {
		_ = g.oom.Close()
	}
	for _, hierarchy := range (cgroupsV1{root: g.root}).hierarchies() {
		_ = removeTree(filepath.Join(hierarchy, g.name), false)
	}
}

func hasSwap() bool {
	kilobytes, err := readField("/proc/meminfo", "SwapTotal:")
	return err != nil || kilobytes > 0
}
