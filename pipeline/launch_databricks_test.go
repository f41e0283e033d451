package pipeline

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
)

func TestScripts(t *testing.T) {
	t.Parallel()
	got := scripts([]string{"file:/opt/a.sh", "/home/me/b.sh"})
	want := []launch.Script{{Path: "/opt/a.sh", Inside: true}, {Path: "/home/me/b.sh"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// The inputs of other launches, and so their evidence, stay what they were before this profile came.
func TestOtherLaunchesDoNotKnowTheProfilesFields(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(portable(config.Launch{Target: "sandbox", Profile: "spark", Probes: []config.Probe{{Run: &config.Run{Args: []string{"a"}}}, {Python: &config.Python{Code: "1"}}}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"Runtime", "InitScripts", "SQL", "Scala", "Pip", "Matches", "Exit"} {
		if strings.Contains(string(text), key) {
			t.Errorf("%s is in %s", key, text)
		}
	}
	if files := launchFiles(config.Launch{Profile: "spark", Runtime: t.TempDir()}); len(files) != 0 {
		t.Errorf("files %v", files)
	}
}

func TestDatabricksInputsFollowFilesAndNotPlaces(t *testing.T) {
	t.Parallel()
	project := func(t *testing.T) (string, config.Launch) {
		dir := t.TempDir()
		for name, text := range map[string]string{"spark/jars/a-1.0.jar": "jar", "init.sh": "echo 1", "wheels/tool.whl": "wheel"} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir, config.Launch{
			Target: "sandbox", Profile: "databricks", Runtime: filepath.Join(dir, "spark"), InitScripts: []string{"file:/opt/a.sh", filepath.Join(dir, "init.sh")},
			Probes: []config.Probe{{Pip: &config.Pip{From: filepath.Join(dir, "wheels"), Packages: []string{"tool"}}}},
		}
	}
	inputs := func(t *testing.T, cfg config.Launch) string {
		t.Helper()
		got, err := launchInputs(cfg, "1")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	dir, cfg := project(t)
	first := inputs(t, cfg)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(cfg.Runtime, link); err != nil {
		t.Fatal(err)
	}
	linked := cfg
	linked.Runtime = link
	if inputs(t, linked) != first {
		t.Error("the same runtime behind a link is another input")
	}
	if _, elsewhere := project(t); inputs(t, elsewhere) != first {
		t.Error("the same files elsewhere are other inputs")
	}
	if !filepath.IsAbs(cfg.InitScripts[1]) || !filepath.IsAbs(cfg.Probes[0].Pip.From) {
		t.Errorf("the configuration was changed: %+v", cfg)
	}
	for _, name := range []string{"spark/jars/b-2.0.jar", "init.sh", "wheels/more.whl"} {
		path := filepath.Join(dir, name)
		before, _ := os.ReadFile(path) // of a new one: nothing
		if err := os.WriteFile(path, append(before, "changed"...), 0o644); err != nil {
			t.Fatal(err)
		}
		now := inputs(t, cfg)
		if now == first {
			t.Errorf("a change of %s leaves the inputs as they were", name)
		}
		first = now
	}
}

func TestDefaultRuntimeIsTheExamplesNewest(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("HALLMARK_DEMO_CACHE", cache)
	cfg := config.Launch{Profile: "databricks"}
	if got := sparkRuntime(cfg); got != "" {
		t.Errorf("of an empty cache: %q", got)
	}
	for _, name := range []string{"spark-dist-3.5.6/jars", "spark-dist-3.5.7/jars", "spark-dist-3.5.8"} {
		if err := os.MkdirAll(filepath.Join(cache, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := sparkRuntime(cfg); got != filepath.Join(cache, "spark-dist-3.5.7") {
		t.Errorf("got %q", got)
	}
	cfg.Runtime = "/opt/spark"
	if got := sparkRuntime(cfg); got != "/opt/spark" {
		t.Errorf("a given one: %q", got)
	}
	if got := sparkRuntime(config.Launch{Profile: "spark"}); got != "" {
		t.Errorf("of another profile: %q", got)
	}
}
