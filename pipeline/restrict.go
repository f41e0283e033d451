package pipeline

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Restrict takes out of the configuration what a run may not have that builds what nobody has read yet: who wrote the
// Dockerfile wrote hallmark.yaml, too. Nothing is written outside the machine or into folders of its own choice, no secret is handed
// to the build or to a registry that the file names, and nothing of the machine outside the checkout is read. reason says why the run may
// not; workspace is the checkout, empty: unknown. The configuration's paths are absolute, as loading makes them.
func Restrict(cfg *config.Config, reason, workspace string) error {
	cfg.Build.Cache.To, cfg.Registry.Auth = nil, nil
	cfg.Engine.Root, cfg.Registry.Root = "", ""
	if len(cfg.Build.Secrets) > 0 {
		return fmt.Errorf("%w: the build is to be given the secrets %s, which this run may not hand out: %s",
			verdict.ErrUsage, strings.Join(slices.Sorted(maps.Keys(cfg.Build.Secrets)), ", "), reason)
	}
	if workspace == "" {
		return nil
	}
	top, err := filepath.EvalSymlinks(workspace)
	if err != nil {
		return fmt.Errorf("the checkout %s: %w", workspace, err)
	}
	reads := cfg.Reads()
	for _, key := range slices.Sorted(maps.Keys(reads)) {
		path := reads[key]
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		} // what is not there is told by who reads it
		if rel, err := filepath.Rel(top, path); err != nil || !filepath.IsLocal(rel) {
			return fmt.Errorf("%w: %s is %s, outside of the checkout %s, and this run may not read there: %s",
				verdict.ErrUsage, key, reads[key], workspace, reason)
		}
	}
	return nil
}
