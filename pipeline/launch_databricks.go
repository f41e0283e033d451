package pipeline

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
)

// scripts turns the configured init scripts into the launch room's.
func scripts(all []string) []launch.Script {
	var out []launch.Script
	for _, script := range all {
		inside, isInside := strings.CutPrefix(script, "file:")
		out = append(out, launch.Script{Path: cmp.Or(inside, script), Inside: isInside})
	}
	return out
}

// sparkRuntime is the folder that a launch copies into its container: the configured one, or the newest distribution
// that the Spark example keeps; empty where there is none.
func sparkRuntime(cfg config.Launch) string {
	if cfg.Profile != config.Profile(launch.Databricks) || cfg.Target == workspaceTarget || cfg.Runtime != "" {
		return cfg.Runtime
	}
	cache := os.Getenv("HALLMARK_DEMO_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		cache = filepath.Join(user, "hallmark", "demo")
	}
	kept, _ := filepath.Glob(filepath.Join(cache, "spark-dist-*"))
	kept = slices.DeleteFunc(kept, func(path string) bool {
		info, err := os.Stat(filepath.Join(path, "jars"))
		return err != nil || !info.IsDir()
	})
	if len(kept) == 0 {
		return ""
	}
	return slices.Max(kept)
}

// launchFiles are the files of this machine that decide a launch with the profile databricks, and what identifies their
// content. What is not there has none; the launch itself says so.
func launchFiles(cfg config.Launch) map[string]string {
	files := map[string]string{}
	if cfg.Profile != config.Profile(launch.Databricks) || cfg.Target == workspaceTarget {
		return files
	}
	files["runtime"] = listing(sparkRuntime(cfg))
	for i, script := range scripts(cfg.InitScripts) {
		if !script.Inside {
			files[fmt.Sprintf("init script %d", i)] = content(script.Path)
		}
	}
	for i, probe := range cfg.Probes {
		if probe.Pip != nil {
			files[fmt.Sprintf("probe %d", i)] = listing(probe.Pip.From) + content(probe.Pip.From)
		}
	}
	return files
}

// portable is the launch without the folders of this machine: what they hold is told by launchFiles, and the same launch
// on another machine has the same inputs.
func portable(cfg config.Launch) config.Launch {
	if cfg.Target == workspaceTarget && cfg.Databricks != nil {
		// Whose credentials pull, and how often a cluster is tried, changes nothing about the image.
		b := *cfg.Databricks
		b.Credentials, b.Retries, b.Autotermination = config.PullCredential{}, 0, 0
		cfg.Databricks = &b
		return cfg
	}
	if cfg.Profile != config.Profile(launch.Databricks) {
		return cfg
	}
	cfg.Runtime, cfg.InitScripts = "", slices.Clone(cfg.InitScripts)
	for i, script := range scripts(cfg.InitScripts) {
		cfg.InitScripts[i] = script.Name()
	}
	cfg.Probes = slices.Clone(cfg.Probes)
	for i, probe := range cfg.Probes {
		if probe.Pip != nil {
			pip := *probe.Pip
			pip.From = filepath.Base(pip.From)
			cfg.Probes[i].Pip = &pip
		}
	}
	return cfg
}

func content(path string) string {
	body, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// listing identifies a folder by the names, sizes and modes in it, which takes milliseconds where reading it all would
// take seconds. It is for folders of releases, whose files bear their versions in their names.
func listing(folder string) string {
	folder, err := filepath.EvalSymlinks(folder) // a walk does not follow the link that it begins at
	if err != nil {
		return ""
	}
	hash := sha256.New()
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			rel, _ := filepath.Rel(folder, path)
			_, err = fmt.Fprintf(hash, "%q %d %s\n", rel, info.Size(), info.Mode())
		}
		return err
	})
	if err != nil {
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))
}
