package pipeline

import (
	"context"
	"slices"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// warnOfLaunches says at the beginning of a run that it will not launch in a sandbox here, where noEngine says why. It is
// no error: the launch may stand signed already, and everything before it is worth having; a run elsewhere goes on from there.
func warnOfLaunches(ctx context.Context, noEngine error, launches []config.Launch) {
	if noEngine != nil && slices.ContainsFunc(launches, func(l config.Launch) bool { return l.Target == "sandbox" }) {
		progress.From(ctx).Warnf("A launch with target sandbox cannot be made here, and the run ends there unless it stands signed already: %v", noEngine)
	}
}
