package pipeline

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Restrict takes out of the configuration what a run may not have that builds what nobody has read yet: who wrote the
// Dockerfile wrote hallmark.yaml, too. Nothing is written outside the machine or into folders of its own choice, no secret
// is handed to the build or to a registry that the file names, and nothing of the machine outside the checkout is read.
// reason says why the run may not; workspace is the checkout, empty: unknown. The configuration's paths are absolute, as
// loading makes them.
func Restrict(cfg *config.Config, reason, workspace string) error {
	cfg.Build.Cache.To, cfg.Registry.Auth = nil, nil
	cfg.Engine.Root, cfg.Registry.Root = "", ""
	if len(cfg.Build.Secrets) > 0 {
		return fmt.Errorf("%w: the build is to be given the secrets %s, which this run may not hand out: %s",
			verdict.ErrUsage, strings.Join(slices.Sorted(maps.Keys(cfg.Build.Secrets)), ", "), reason)
	}
	if workspace == "" {
		cfg.Reports.NoFiles() // files that nobody can say the place of
		return nil
	}
	top, err := filepath.EvalSymlinks(workspace)
	if err != nil {
		return fmt.Errorf("the checkout %s: %w", workspace, err)
	}
	for key, path := range sorted(cfg.Reads()) {
		if rel, err := within(top, path); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		} else if !filepath.IsLocal(rel) {
			return fmt.Errorf("%w: %s is %s, outside of the checkout %s, and this run may not read there: %s", verdict.ErrUsage, key, path, workspace, reason)
		}
	}
	for key, path := range sorted(cfg.Writes()) {
		switch rel, err := within(top, path); {
		case err != nil:
			return fmt.Errorf("%s: %w", key, err)
		case !filepath.IsLocal(rel):
			return fmt.Errorf("%w: %s is %s, outside of the checkout %s, and this run may not write there: %s", verdict.ErrUsage, key, path, workspace, reason)
		case slices.ContainsFunc(strings.Split(rel, string(filepath.Separator)), func(part string) bool { return strings.EqualFold(part, ".git") }):
			return fmt.Errorf("%w: %s is %s, among Git's own files, and this run may not write there: %s", verdict.ErrUsage, key, path, reason)
		}
	}
	return nil
}

// sorted goes through a map in the order of its keys.
func sorted(all map[string]string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if !yield(key, all[key]) {
				return
			}
		}
	}
}

// within is a path as seen from the folder top, with every link in it followed. What is not there yet is where it would
// be made; a link that leads to nothing is refused, for nobody sees where that is.
func within(top, path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	missing := ""
	for at := absolute; ; at = filepath.Dir(at) {
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Rel(top, filepath.Join(real, missing))
		}
		if _, there := os.Lstat(at); there == nil || at == filepath.Dir(at) {
			return "", fmt.Errorf("%w: following %s: %w", verdict.ErrUsage, at, err)
		}
		missing = filepath.Join(filepath.Base(at), missing)
	}
}
