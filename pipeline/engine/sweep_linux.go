package engine

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// sweep removes what an engine that did not end in order left: control groups named after the state folder (with
// whatever still runs in them), mounts below it, half-made containers, reports and scratch files. The lock is held,
// so nothing of it is in use.
func sweep(root string, groups cgroups) {
	dropGroups(root, groups)
	if err := unmountBelow(root); err != nil {
		logrus.WithError(err).Warn("sweeping mounts")
	}
	leftovers := []string{filepath.Join(root, "sandboxes", "*"), filepath.Join(root, "tmp", "*"), filepath.Join(root, "buildkit", "*", "executor", "*", "config.json")}
	for i, pattern := range leftovers {
		found, _ := filepath.Glob(pattern)
		for _, path := range found {
			if i == 2 {
				path = filepath.Dir(path) // a container's bundle
			}
			if err := os.RemoveAll(path); err != nil {
				logrus.WithError(err).Warn("sweeping files")
			}
		}
	}
}

// dropGroups removes the control groups of an engine that has ended, killing what may still run in them.
func dropGroups(root string, groups cgroups) {
	for _, hierarchy := range groups.hierarchies() {
		if readOnlyAt(hierarchy) { // a container that is not privileged; they go with it
			continue
		}
		if err := removeTree(filepath.Join(hierarchy, cgroupName(root)), true); err != nil {
			logrus.WithError(err).Warn("sweeping control groups")
		}
		_ = unix.Rmdir(filepath.Join(hierarchy, "hallmark")) // goes with the last engine's
	}
}

// mountsBelow are the mounts below root, the outermost first.
func mountsBelow(root string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var points []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.HasPrefix(unescape(fields[4]), root+"/") {
			points = append(points, unescape(fields[4]))
		}
	}
	return points, lines.Err()
}

// unmountBelow detaches every mount below root, the innermost first.
func unmountBelow(root string) error {
	points, all := mountsBelow(root)
	for i := len(points) - 1; i >= 0; i-- {
		if err := unix.Unmount(points[i], unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// unescape turns the kernel's \040 and the like in mountinfo back into characters.
func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// reap collects orphans: the first process of a namespace inherits them, and Go waits only for what it started.
// A child that os/exec started is collected by it at once; one that is still a zombie at two looks is an orphan.
func reap(ctx context.Context) {
	before := map[int]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Second):
		}
		now := zombies()
		for pid := range now {
			if before[pid] {
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
		}
		before = now
	}
}

// zombies are the ended children of this process that nobody has waited for.
func zombies() map[int]bool {
	out := map[int]bool{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue
		}
		// pid (name, which may hold anything) state parent …
		_, rest, _ := strings.Cut(string(text), ") ")
		if i := strings.LastIndex(string(text), ") "); i >= 0 {
			rest = string(text)[i+2:]
		}
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[0] == "Z" && fields[1] == strconv.Itoa(os.Getpid()) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			out[pid] = true
		}
	}
	return out
}
