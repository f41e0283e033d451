package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// endingWait is how long a sweep waits for an engine that is ending.
const endingWait = 5 * time.Second

// Sweep removes what an engine on the state folder root left that was killed: control groups with what still runs in
// them, mounts, half-made containers. It says what there was. An engine that runs, of whoever else, keeps all of it.
func Sweep(ctx context.Context, root string) (found []string, err error) {
	if _, err := os.Stat(filepath.Join(root, "engine.lock")); err != nil {
		return nil, nil // no engine has ever run here
	}
	locked, err := lock.Take(ctx, lock.Folder{Path: root, File: "engine.lock", What: "the engine's state folder", Code: "engine.busy", Wait: endingWait})
	if known := (*verdict.Error)(nil); errors.As(err, &known) && known.Code == "engine.busy" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer locked.Close()
	groups := detectCgroups(cgroupMount)
	before := remains(root, groups)
	sweep(root, groups)
	if after := remains(root, groups); len(after) > 0 {
		return before, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "engine.leftovers", Doing: "taking down what an engine left in", Object: root,
			Cause: fmt.Errorf("there still are %s", after[0]), Remedy: "Take it down as root, or restart the machine",
		}
	}
	return before, nil
}

// remains are what an engine that was killed may leave of itself, in words.
func remains(root string, groups cgroups) []string {
	var all []string
	if points, err := mountsBelow(root); err == nil && len(points) > 0 {
		all = append(all, verdict.Plural(len(points), "mount")+" below "+root)
	}
	for _, hierarchy := range groups.hierarchies() {
		if readOnlyAt(hierarchy) {
			continue
		}
		if left, _ := filepath.Glob(filepath.Join(hierarchy, cgroupName(root), "*", "cgroup.procs")); len(left) > 0 {
			all = append(all, verdict.Plural(len(left), "control group")+" of "+root)
		}
	}
	return all
}
