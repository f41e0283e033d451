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
// Dockerfile wrote hallmark.yaml, too. Nothing is written outside the machine, no secret is handed to the build or to a
// registry that the file names, and nothing of the machine outside the checkout is read. reason says why the run may
// not; workspace is the checkout, empty: unknown.
func Restrict(cfg *config.Config, reason, workspace string) error {
	cfg.Build.Cache.To, cfg.Registry.Auth = nil, nil
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
	folders := map[string]string{"build.context": cfg.Build.Context, "build.dockerfile": cfg.Build.Dockerfile}
	for name, value := range cfg.Build.Contexts {
		if path, isLayout := strings.CutPrefix(value, "oci-layout://"); isLayout || !strings.Contains(value, "://") && !strings.HasPrefix(value, "git@") {
			path, _, _ = strings.Cut(path, "@")
			folders["build.contexts."+name] = path
		}
	}
	for _, key := range slices.Sorted(maps.Keys(folders)) {
		path := folders[key]
		if !filepath.IsAbs(path) {
			path = filepath.Join(cfg.Build.Context, path)
			if key == "build.context" {
				path = cfg.Build.Context
			}
		}
		absolute, err := filepath.Abs(path)
		if err == nil {
			if real, failed := filepath.EvalSymlinks(absolute); failed == nil {
				absolute = real
			} // what is not there is told by the build
			var rel string
			rel, err = filepath.Rel(top, absolute)
			if err == nil && (rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator))) {
				err = fmt.Errorf("%w: %s is %s, outside of the checkout %s, and this run may not read there: %s", verdict.ErrUsage, key, folders[key], workspace, reason)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
