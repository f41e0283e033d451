package build

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Two dates make an image reproducible. The image's own (in its configuration) is the time of the last commit that
// touched the context, so that people can tell images apart. Files in its layers bear no date later than the layer
// epoch, which is the base image's date: a layer whose content did not change stays the same layer from commit to
// commit, and is neither read nor scanned nor sent again. An explicit SourceDateEpoch stands for both.

// earliest is the date where nothing else is known: ZIP archives hold no earlier one.
var earliest = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

const gitWait = 10 * time.Second

// commitTime is the time of the last commit that touched folder; found is false outside of git.
func commitTime(ctx context.Context, folder string) (when time.Time, found bool) {
	ctx, cancel := context.WithTimeout(ctx, gitWait)
	defer cancel()
	// safe.directory: in a container the checkout often belongs to another user, and a date is all that is read.
	cmd := exec.CommandContext(ctx, "git", "-c", "safe.directory=*", "-C", folder, "log", "-1", "--format=%ct", "--", ".")
	out, err := cmd.Output()
	if err != nil {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0).UTC(), true
}

// layerEpoch is the latest date for files in the image's own layers.
func layerEpoch(explicit *time.Time, baseCreated *time.Time) time.Time {
	switch {
	case explicit != nil:
		return explicit.UTC()
	case baseCreated != nil && baseCreated.After(earliest):
		return baseCreated.UTC().Truncate(time.Second)
	default:
		return earliest
	}
}
