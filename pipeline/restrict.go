package pipeline

import (
	"fmt"
	"maps"
	"os"
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
		cfg.Reports = config.Reports{} // files that nobody can say the place of
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
	for _, kind := range config.ReportKinds() {
		if path := cfg.Reports.File(kind); path != "" {
			folders["reports."+strings.ReplaceAll(kind, "-", "_")] = path
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
		rel, err := within(top, path)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		outside := rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator))
		switch report := strings.HasPrefix(key, "reports."); {
		case outside && report:
			return fmt.Errorf("%w: %s is %s, outside of the checkout %s, and this run may not write there: %s", verdict.ErrUsage, key, folders[key], workspace, reason)
		case outside:
			return fmt.Errorf("%w: %s is %s, outside of the checkout %s, and this run may not read there: %s", verdict.ErrUsage, key, folders[key], workspace, reason)
		case report && slices.ContainsFunc(strings.Split(rel, string(filepath.Separator)), func(part string) bool { return strings.EqualFold(part, ".git") }):
			return fmt.Errorf("%w: %s is %s, among Git's own files, and this run may not write there: %s", verdict.ErrUsage, key, folders[key], reason)
		}
	}
	return nil
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
