package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// sandbox says whether a launch on this machine has what it needs: an engine that makes containers here, whatever builds
// the image, and the files that the launch names.
func (d *doctor) sandbox(ctx context.Context, slot string, l config.Launch) {
	if err := engine.Here(); err != nil {
		d.ill("launch", "Launch where Hallmark may have the embedded engine, or leave the launch out: launch: []", "%s: %v", slot, err)
		return
	}
	if l.Profile == config.Profile(launch.Databricks) {
		folder := sparkRuntime(l)
		if _, err := os.Stat(folder); err != nil {
			if folder == "" {
				err = errors.New("no Spark distribution is named, and none is kept on this machine")
			}
			d.ill("launch", "Name the folder of a Spark distribution in launch[].runtime", "%s: %v", slot, err)
			return
		}
	}
	for _, script := range scripts(l.InitScripts) {
		if _, err := os.Stat(script.Path); !script.Inside && err != nil {
			d.ill("launch", "Correct launch[].init_scripts: a path on this machine, or file:PATH in the image", "%s: %v", slot, err)
			return
		}
	}
	options := d.engineOptions()
	options.Root, options.LockWait = d.home.launchEngine(), busyWait
	runner, err := engine.Start(ctx, options)
	if known := (*verdict.Error)(nil); errors.As(err, &known) && known.Code == "engine.busy" {
		d.well("launch", "%s, on this machine, where another run launches now; launches wait for each other", slot)
		return
	}
	if err != nil {
		d.failed("launch", fmt.Errorf("%s: %w", slot, err))
		return
	}
	if err := runner.Close(); err != nil {
		d.failed("launch", fmt.Errorf("%s: %w", slot, err))
		return
	}
	d.well("launch", "%s, on this machine", slot)
}
