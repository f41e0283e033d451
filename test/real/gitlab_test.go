//go:build real

package real

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// registryPassword is that of the registries of the jobs; no log may have it.
const registryPassword = "hush-hush-of-the-job"

// checkout is a repository with a tiny project and the example of a CI system at the given path.
func checkout(t *testing.T, project tiny, example, at string) string {
	t.Helper()
	dir := project.project(t)
	to := filepath.Join(dir, at)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "", "cp", filepath.Join(top, "examples", "ci", example), to)
	return dir
}

func commit(t *testing.T, dir string) {
	t.Helper()
	command(t, dir, "git", "init", "--quiet", "--initial-branch", "main")
	command(t, dir, "git", "remote", "add", "origin", "https://git.example.com/team/tiny.git")
	command(t, dir, "git", "add", ".")
	command(t, dir, "git", "-c", "user.name=Tests", "-c", "user.email=tests@example.com", "commit", "--quiet", "-m", "one")
}

// withPrograms is a folder for PATH in which the jobs find hallmark, and what else they call.
func withPrograms(t *testing.T, more map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	links := map[string]string{"hallmark": program}
	for name, target := range more {
		links[name] = target
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// ofNoSystem is the environment without what tells of a CI system or of Hallmark.
func ofNoSystem(more ...string) []string {
	kept := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		for _, prefix := range []string{"HALLMARK_", "DOCKER_", "BUILDKIT", "CI=", "CI_", "GITLAB_", "GITHUB_", "PATH="} {
			if strings.HasPrefix(entry, prefix) {
				return true
			}
		}
		return false
	})
	return append(kept, more...)
}

// wantAll fails the test for each expression that the log does not match.
func wantAll(t *testing.T, log string, expressions ...string) {
	t.Helper()
	for _, want := range expressions {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("the log has no %s", want)
		}
	}
}

// The example for GitLab, included as `hallmark init` says where there is a pipeline already, in a pipeline with a later
// job that reads its outputs: by gitlab-ci-local, which validates the file by GitLab's schema and does what a runner with
// the shell executor does.
func TestGitLabRunsTheExample(t *testing.T) {
	local := peer(t, "gitlab-ci-local")
	h := newHome(t)
	host := privateRegistry(t, "ci", registryPassword)
	dir := checkout(t, tiny{stamp: "gitlab"}, "gitlab/.gitlab-ci.yml", ".gitlab/hallmark.yml")
	later := `include: [{local: .gitlab/hallmark.yml}]
later:
  stage: .post
  script:
    - echo "later $HALLMARK_VERDICT $HALLMARK_DIGEST $HALLMARK_GOLDEN"
`
	if err := os.WriteFile(filepath.Join(dir, ".gitlab-ci.yml"), []byte(later), 0o644); err != nil {
		t.Fatal(err)
	}
	commit(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	args := []string{local, "--force-shell-executor", "--shell-isolation", "--color=false", "--home", t.TempDir()}
	for _, entry := range []string{
		"GITLAB_CI=true", // as on GitLab; this runner tells jobs by it that it is another one
		"CI_REGISTRY=" + host, "CI_REGISTRY_IMAGE=" + host + "/team/tiny", "CI_REGISTRY_USER=ci", "CI_REGISTRY_PASSWORD=" + registryPassword,
		"HALLMARK_HOME=" + h.dir,
	} {
		args = append(args, "--variable", entry)
	}
	environment := append(ofNoSystem(h.settings()...), "PATH="+withPrograms(t, nil)+":"+os.Getenv("PATH"))
	run := func() (string, error) {
		cmd := exec.CommandContext(ctx, "node", args...)
		cmd.Dir, cmd.Env = dir, environment
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	log, err := run()
	if err != nil {
		t.Fatalf("gitlab-ci-local: %v\n%s", err, log)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log)
		}
	})
	wantAll(t, log, `json schema validated`, `\x1b\[0Ksection_start:\d+:hallmark_build\r\x1b\[0K`, `section_end:\d+:hallmark_promote\r`,
		`PASS +golden-image`, `later +> later pass sha256:[0-9a-f]{64} \S+/team/tiny:golden`)
	if strings.Contains(log, registryPassword) || strings.Contains(log, password) {
		t.Error("a password is in the log")
	}
	// This runner hands outputs and paths to later jobs; the other reports, which GitLab itself reads, stay where they are.
	at := filepath.Join(dir, ".gitlab-ci-local", "builds", "golden-image")
	for file, want := range map[string]string{
		"hallmark/junit.xml":               `<testsuites`,
		"hallmark/code-quality.json":       `^\[`,
		"hallmark/container-scanning.json": `"type": ?"container_scanning"`,
		"hallmark/outputs.env":             `HALLMARK_PROMOTED=true`,
		"hallmark/report.html":             `<html`,
	} {
		body, err := os.ReadFile(filepath.Join(at, file))
		if err != nil || !regexp.MustCompile(want).Match(body) {
			t.Errorf("the artifact %s has no %s: %v", file, want, err)
		}
	}
	h.env = []string{"HALLMARK_REGISTRY_HOST=" + host, "HALLMARK_REGISTRY_USERNAME=ci", "HALLMARK_REGISTRY_PASSWORD=" + registryPassword}
	digest := regexp.MustCompile(`> later pass (\S+)`).FindStringSubmatch(log)
	if v := verify(t, h, host+"/team/tiny:golden", 0, "--promoted"); digest == nil || v.Subject.Digest != digest[1] {
		t.Errorf("golden is %s, the job's outputs say %v", v.Subject.Digest, digest)
	}

	// The image is at fault: the job fails with the program's own code, which is not the one that is retried.
	dockerfile, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), append(dockerfile, "USER 0\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	environment = append(environment, "HALLMARK_CHECK_FAIL_ON=low")
	if log, err = run(); err == nil {
		t.Fatal("the job passes with an image that the check gate stops")
	}
	wantAll(t, log, `FAIL +golden-image`, `golden-image finished in .* FAIL 1\b`)
	if strings.Count(log, "section_start") == 0 || strings.Contains(log, "later >") {
		t.Error("the later job ran")
	}
}
