//go:build real

package real

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// actionRepository is a repository with this action, a tiny project, and the workflow that uses the one on the other.
func actionRepository(t *testing.T, project tiny) string {
	t.Helper()
	dir, err := os.MkdirTemp(work, "action-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(project.project(t), filepath.Join(dir, "project")); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"action.yml": "action.yml", "action": "action", "test/real/testdata/action/workflow.yml": ".github/workflows/golden.yml",
	} {
		to = filepath.Join(dir, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		command(t, "", "cp", "-r", filepath.Join(top, from), to)
	}
	command(t, dir, "git", "init", "--quiet")
	command(t, dir, "git", "add", ".")
	command(t, dir, "git", "-c", "user.name=Tests", "-c", "user.email=tests@example.com", "commit", "--quiet", "-m", "one")
	return dir
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// settings are the environment in which the action finds the tests' home, key and database.
func (h home) settings() []string {
	return []string{
		"HALLMARK_HOME=" + h.dir, "HALLMARK_SIGN_KEY=file:" + keyFiles + ".key", "HALLMARK_SIGN_PASSWORD=env:TESTS_PASSWORD", "TESTS_PASSWORD=" + password,
		"HALLMARK_SCAN_DATABASE_FROM=demo", "TESTS_BINARY=" + program,
	}
}

// A workflow stages in one step and promotes in another by the digest alone, on a runner on this machine: act, which does
// what GitHub's runner does with actions, commands, outputs and post steps.
func TestActionInAWorkflow(t *testing.T) {
	h := newHome(t)
	repository := actionRepository(t, tiny{stamp: "action"})
	act := peer(t, "act")
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	args := []string{"push", "--platform", "ubuntu-latest=-self-hosted"}
	for _, entry := range h.settings() {
		args = append(args, "--env", entry)
	}
	cmd := exec.CommandContext(ctx, act, args...)
	cmd.Dir = repository
	elsewhere := t.TempDir() // act's own settings and cache, and no daemon
	cmd.Env = append(os.Environ(), "HOME="+elsewhere, "XDG_CONFIG_HOME="+elsewhere, "XDG_CACHE_HOME="+elsewhere, "DOCKER_HOST=unix://"+elsewhere+"/none.sock")
	if err := os.MkdirAll(filepath.Join(elsewhere, "act"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "act", "actrc"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	log := string(out)
	if err != nil {
		t.Fatalf("act: %v\n%s", err, log)
	}

	for _, want := range []string{
		`output VERDICT=pass\n`,
		`output DIGEST=sha256:[0-9a-f]{64}\n`,
		`output STAGED=\S+/tiny:staging-\S+\n`,
		`output PROMOTED=false\n`,
		`output SARIF=\S+findings\.sarif\n`,
		`output CLUSTERS=sandbox-\S+\n`,
		`\| golden \S+/tiny:golden\n`,
		`\| promoted true\n`,
		`::group::launch`,
		`Summary - ## ✅ Hallmark: PASS`,
		`(?s)Success - Post \./.*Success - Post \./`,
	} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("the log has no %s", want)
		}
	}
	if strings.Contains(log, password) {
		t.Error("the key's password is in the log")
	}
	if t.Failed() {
		t.Log(log)
		return
	}
	staged := regexp.MustCompile(`output DIGEST=(\S+)`).FindStringSubmatch(log)[1]
	if v := verify(t, h, "tiny:golden", 0); v.Subject.Digest != staged {
		t.Errorf("golden is %s, and %s was staged", v.Subject.Digest, staged)
	}
}

// A job that is cancelled while its cluster runs: the runner sends SIGINT to the launcher, and nothing else.
func TestActionCancelled(t *testing.T) {
	h := newHome(t)
	repository := actionRepository(t, tiny{stamp: "cancelled", probe: "run: [/service, sleep, '60']"})
	files := t.TempDir()
	environment := append(os.Environ(), h.settings()...)
	environment = append(environment, "GITHUB_ACTIONS=true", "GITHUB_WORKSPACE="+repository, "RUNNER_TEMP="+files,
		"INPUT_COMMAND=run", "INPUT_FOLDER=project", "INPUT_BINARY="+program)
	for name, variable := range map[string]string{"output": "GITHUB_OUTPUT", "state": "GITHUB_STATE", "summary": "GITHUB_STEP_SUMMARY"} {
		file := filepath.Join(files, name)
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		environment = append(environment, variable+"="+file)
	}
	step := func(file string, more ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd := exec.CommandContext(t.Context(), "node", filepath.Join(repository, "action", file))
		cmd.Dir, cmd.Env = repository, append(environment, more...)
		var log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &log, &log
		return cmd, &log
	}

	main, _ := step("main.js")
	stdout := &watched{until: "::group::launch", seen: make(chan struct{})}
	main.Stdout, main.Stderr = stdout, stdout
	if err := main.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stdout.seen:
	case <-time.After(longest):
		t.Fatalf("no launch began:\n%s", stdout.text.String())
	}
	time.Sleep(time.Second) // in the midst of it
	began := time.Now()
	if err := main.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := main.Wait()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 130 {
		t.Fatalf("the cancelled step ended with %v, want exit code 130:\n%s", err, stdout.text.String())
	}
	if took := time.Since(began); took > 7500*time.Millisecond {
		t.Errorf("it ended after %s; the runner sends SIGTERM after 7.5 s", took)
	} else {
		t.Logf("everything was taken down after %s", took.Round(time.Millisecond))
	}

	post, log := step("post.js", states(t, filepath.Join(files, "state"))...)
	if err := post.Run(); err != nil {
		t.Fatalf("post: %v\n%s", err, log)
	}
	if !strings.Contains(log.String(), "Nothing was left behind") {
		t.Errorf("post found something:\n%s", log)
	}
}

// watched keeps what is written, and tells once when a text was in it.
type watched struct {
	text  bytes.Buffer
	until string
	seen  chan struct{}
	over  bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.text.Write(p)
	if !w.over && strings.Contains(w.text.String(), w.until) {
		w.over = true
		close(w.seen)
	}
	return len(p), nil
}

// states are the variables that a runner makes of a step's state.
func states(t *testing.T, file string) []string {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for lines := strings.Split(string(body), "\n"); len(lines) > 0; lines = lines[1:] {
		name, end, block := strings.Cut(lines[0], "<<")
		if !block {
			continue
		}
		var value []string
		for lines = lines[1:]; len(lines) > 0 && lines[0] != end; lines = lines[1:] {
			value = append(value, lines[0])
		}
		all = append(all, "STATE_"+name+"="+strings.Join(value, "\n"))
	}
	return all
}
