package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// cgroupsV2 has one hierarchy; a controller works in a group once every group above has passed it on.
type cgroupsV2 struct{ root string }

func (c cgroupsV2) hierarchies() []string { return []string{c.root} }

func (c cgroupsV2) create(name string, limits Limits) group {
	g := &groupV2{dir: filepath.Join(c.root, name), name: name}
	wanted := map[string]bool{"memory": limits.Memory > 0, "cpu": limits.CPUs > 0, "pids": limits.PIDs > 0}
	made := os.MkdirAll(g.dir, 0o755)
	passed := map[string]error{}
	for controller, want := range wanted {
		if want {
			passed[controller] = errors.Join(made, c.passOn(controller, name))
		}
	}
	if limits.Memory > 0 {
		g.held.Memory = held(limits.memoryText(), g.limit(passed["memory"], g.memory, limits.Memory))
	}
	if limits.CPUs > 0 {
		g.held.CPUs = held(limits.cpusText(), g.limit(passed["cpu"], g.cpus, cpuQuota(limits.CPUs)))
	}
	if limits.PIDs > 0 {
		g.held.PIDs = held(limits.pidsText(), g.limit(passed["pids"], g.pids, limits.PIDs))
	}
	return g
}

// passOn lets controller work in name: it is passed on from the root down to the group above name.
func (c cgroupsV2) passOn(controller, name string) error {
	available, err := os.ReadFile(filepath.Join(c.root, "cgroup.controllers"))
	if err != nil {
		return plain(err)
	}
	if !strings.Contains(" "+strings.TrimSpace(string(available))+" ", " "+controller+" ") {
		return fmt.Errorf("the kernel's %s controller is not available at %s", controller, c.root)
	}
	dir := c.root
	for _, part := range strings.Split(name, "/") {
		file := filepath.Join(dir, "cgroup.subtree_control")
		if err := os.WriteFile(file, []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("the %s controller cannot be passed on in %s: %w", controller, dir, errors.Unwrap(err))
		}
		dir = filepath.Join(dir, part)
	}
	return nil
}

type groupV2 struct {
	dir, name string
	held      SandboxReport
}

func (g *groupV2) limit(before error, write func(int64) error, value int64) error {
	if before != nil {
		return before
	}
	return write(value)
}

func (g *groupV2) memory(bytes int64) error {
	if err := set(filepath.Join(g.dir, "memory.max"), bytes, pageSlack); err != nil {
		return err
	}
	// Swap has a limit of its own here; none of it makes the memory limit the limit of both.
	err := set(filepath.Join(g.dir, "memory.swap.max"), 0, 0)
	if errors.Is(err, fs.ErrNotExist) && !hasSwap() {
		return nil
	}
	return err
}

func (g *groupV2) cpus(quota int64) error {
	file := filepath.Join(g.dir, "cpu.max")
	want := fmt.Sprintf("%d %d", quota, cpuPeriod)
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		return plain(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		return plain(err)
	}
	if strings.TrimSpace(string(got)) != want {
		return fmt.Errorf("cpu.max reads %q after %q was written", strings.TrimSpace(string(got)), want)
	}
	return nil
}

func (g *groupV2) pids(count int64) error { return set(filepath.Join(g.dir, "pids.max"), count, 0) }

func (g *groupV2) parent() string {
	if _, err := os.Stat(g.dir); err != nil {
		return ""
	}
	return "/" + g.name
}

func (g *groupV2) report() SandboxReport { return g.held }

func (g *groupV2) observe(report *SandboxReport) {
	kills, err := readField(filepath.Join(g.dir, "memory.events"), "oom_kill")
	report.OOMKilled = err == nil && kills > 0
	report.MemoryPeak, _ = readInt(filepath.Join(g.dir, "memory.peak"))
	report.PIDsPeak, _ = readInt(filepath.Join(g.dir, "pids.peak"))
}

func (g *groupV2) remove() { _ = removeTree(g.dir, false) }
