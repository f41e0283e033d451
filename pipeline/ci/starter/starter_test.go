package starter_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/ci/starter"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// TestRepositories looks at small repositories, and compares what is written with what was last time. Whatever it is,
// the configuration that is written parses, and means what it was found to be.
func TestRepositories(t *testing.T) {
	t.Parallel()
	repositories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(repositories) < 5 {
		t.Fatalf("%d repositories, %v", len(repositories), err)
	}
	for _, file := range repositories {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			root := filepath.Join(t.TempDir(), "checkout")
			for _, f := range archive.Files {
				path := filepath.Join(root, strings.ReplaceAll(f.Name, "dotgit", ".git"))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, f.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			survey, files := begun(t, root)
			var text strings.Builder
			for _, f := range files {
				fmt.Fprintf(&text, "==> %s (exists: %t) %s\n%s", f.Path, f.Exists, f.Note, f.Body)
			}
			goldentest.Compare(t, filepath.Join("testdata", name+".golden"), text.String())

			written := filepath.Join(t.TempDir(), "hallmark.yaml")
			if err := os.WriteFile(written, []byte(files[0].Body), 0o644); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(written, nil, nil)
			if err != nil {
				t.Fatalf("what was written does not parse: %v\n%s", err, files[0].Body)
			}
			if cfg.Image != survey.Name {
				t.Errorf("image %s, want %s", cfg.Image, survey.Name)
			}
			if err := starter.Write(root, files); err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				body, err := os.ReadFile(filepath.Join(root, f.Path))
				if err != nil {
					t.Fatal(err)
				}
				if same := string(body) == f.Body; same == f.Exists {
					t.Errorf("%s existed: %t, and holds what was to be written: %t", f.Path, f.Exists, same)
				}
			}
			again, err := starter.Look(root)
			if err != nil {
				t.Fatal(err)
			}
			files, err = starter.Files(again, "1.2.3")
			if err != nil {
				t.Fatal(err)
			}
			if !files[0].Exists {
				t.Errorf("the second time %s counts as missing", files[0].Path)
			}
		})
	}
}

// TestExamples: the examples for each system are what init writes.
func TestExamples(t *testing.T) {
	t.Parallel()
	survey := starter.Survey{Root: t.TempDir(), Name: "spark", Registry: "registry.example.com/platform/spark", Branch: "main"}
	folder := "../../../examples/ci"
	for _, system := range ci.Systems {
		chosen, err := survey.For(string(system))
		if err != nil {
			t.Fatal(err)
		}
		files, err := starter.Files(chosen, "dev")
		if err != nil || len(files) != 2 {
			t.Fatalf("%s: %d files, %v", system, len(files), err)
		}
		goldentest.Compare(t, filepath.Join(folder, string(system), files[1].Path), files[1].Body)
	}
}

// TestOnlyTheBranchPromotes: what init writes moves the golden tag for the repository's branch alone. Pull requests and other
// branches, where a system runs the job for them at all, end at the staging tag.
func TestOnlyTheBranchPromotes(t *testing.T) {
	t.Parallel()
	wants := map[ci.System]string{
		ci.GitHub:     "push:\n    branches: [trunk]\n  pull_request:",
		ci.GitLab:     `$CI_PIPELINE_SOURCE == "merge_request_event"` + "\n      variables:\n        HALLMARK_PROMOTE_TAGS: \"[]\"\n    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n",
		ci.Azure:      "${{ if ne(variables['Build.SourceBranch'], 'refs/heads/trunk') }}:\n    HALLMARK_RUN_SKIP: promote\n",
		ci.Jenkins:    `HALLMARK_RUN_SKIP      = "${env.BRANCH_NAME == null || env.BRANCH_NAME == 'trunk' ? '' : 'promote'}"`,
		ci.CircleCI:   "branches:\n              only: trunk\n",
		ci.Buildkite:  "branches: trunk\n",
		ci.Bitbucket:  "branches:\n    trunk:\n",
		ci.Drone:      "branch: [trunk]\n  event: [push]\n",
		ci.Woodpecker: "event: push\n    branch: trunk\n",
		ci.Tekton:     "kind: Task\n", // runs when somebody runs it
		ci.TeamCity:   `branchFilter = "+:trunk"`,
	}
	for _, system := range ci.Systems {
		survey, err := starter.Survey{Root: t.TempDir(), Name: "spark", Registry: "registry.example.com/spark", Branch: "trunk"}.For(string(system))
		if err != nil {
			t.Fatal(err)
		}
		files, err := starter.Files(survey, "1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		if want := wants[system]; want == "" || !strings.Contains(files[1].Body, want) {
			t.Errorf("%s: %q is not in what is written:\n%s", system, want, files[1].Body)
		}
	}
}

// TestPins: a release writes itself into the job; any other program says that what it writes is no release. The other
// actions are those that this project's own workflows use.
func TestPins(t *testing.T) {
	t.Parallel()
	job := func(system ci.System, version string) string {
		survey, err := starter.Survey{Root: t.TempDir(), Name: "spark", Registry: "registry.example.com/spark", Branch: "main"}.For(string(system))
		if err != nil {
			t.Fatal(err)
		}
		files, err := starter.Files(survey, version)
		if err != nil {
			t.Fatal(err)
		}
		return files[1].Body
	}
	for version, want := range map[string]string{
		"1.2.3": "v1.2.3", "v1.2.3": "v1.2.3", "1.2.3-rc.1": "v1.2.3-rc.1",
		"dev": "", "1.2.3-4-gabcdef0": "", "1.2.3-dirty": "", "5a6322f": "",
	} {
		ref, tag := "main # the head of its development", "latest"
		if want != "" {
			ref, tag = want+" # the release's page has its SHA", want
		}
		if got := job(ci.GitHub, version); !strings.Contains(got, "uses: hallmark-ci/hallmark@"+ref) {
			t.Errorf("%s: the action is not @%s:\n%s", version, ref, got)
		}
		// As .github/workflows/release.yml tags the image: with the version as it was given, v included.
		if got := job(ci.GitLab, version); !strings.Contains(got, "ghcr.io/hallmark-ci/hallmark:"+tag+"\n") {
			t.Errorf("%s: the image is not :%s", version, tag)
		}
	}
	ours, err := os.ReadFile("../../../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	pins := regexp.MustCompile(`uses: (actions/\S+@[0-9a-f]{40} # v\S+)`).FindAllStringSubmatch(job(ci.GitHub, "dev"), -1)
	if len(pins) != 2 {
		t.Errorf("%d pinned actions, want 2", len(pins))
	}
	for _, pin := range pins {
		if !strings.Contains(string(ours), pin[1]) {
			t.Errorf("templates/github.yml uses %s, and our own workflows do not", pin[1])
		}
	}
}

// begun is what init finds out about a folder, and the files that it would write there.
func begun(t *testing.T, root string) (starter.Survey, []starter.File) {
	t.Helper()
	survey, err := starter.Look(root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := starter.Files(survey, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return survey, files
}
