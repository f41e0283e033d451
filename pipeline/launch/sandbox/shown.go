package sandbox

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// shown are the files and folders of this machine that the container sees, read-only, by their paths here, and the places
// where it sees them. Each is looked at first: what is missing here is not the image's fault.
func shown(spec launch.Spec) (map[string]string, []engine.Bind, error) {
	places, binds := map[string]string{}, []engine.Bind{}
	show := func(what, path, remedy string) error {
		if places[path] != "" {
			return nil
		}
		if _, err := os.Stat(path); err != nil {
			return launch.Missing(fmt.Sprintf("%s %s: %v", what, path, verdict.WithoutPath(err)), remedy)
		}
		places[path] = insideName(len(binds)+1, path)
		binds = append(binds, engine.Bind{Source: path, Target: places[path]})
		return nil
	}
	if spec.Profile != launch.Databricks {
		return places, nil, nil
	}
	if err := isSpark(spec.Runtime); err != nil {
		return nil, nil, err
	}
	if err := show("the runtime", spec.Runtime, remedyRuntime); err != nil {
		return nil, nil, err
	}
	for _, script := range spec.Scripts {
		if !script.Inside {
			if err := show("the init script", script.Path, "Correct init_scripts; a script inside the image is written file:/PATH"); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, probe := range spec.Probes {
		if probe.Kind == launch.Pip {
			if err := show("what pip installs from,", probe.From, "Correct the probe, or build the wheel first"); err != nil {
				return nil, nil, err
			}
		}
	}
	return places, binds, nil
}

const remedyRuntime = "Let the launch's runtime name the folder of a Spark distribution (with bin and jars), for example an unpacked spark-3.5.7-bin-hadoop3"

// isSpark says why a folder is no distribution.
func isSpark(folder string) error {
	if folder == "" {
		return launch.Missing("there is no Spark distribution to copy into the container", remedyRuntime)
	}
	if !filepath.IsAbs(folder) {
		return launch.Missing("the runtime "+folder+" is no absolute path", remedyRuntime)
	}
	for _, part := range []string{"bin/spark-shell", "bin/spark-submit", "jars"} {
		if _, err := os.Stat(filepath.Join(folder, part)); err != nil {
			return launch.Missing(fmt.Sprintf("%s is no Spark distribution: %s: %v", folder, part, verdict.WithoutPath(err)), remedyRuntime)
		}
	}
	return nil
}
