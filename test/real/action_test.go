//go:build real

package real

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// actionRepository is a repository with this action, projects by their folders, and a workflow that uses the one on the
// others.
func actionRepository(t *testing.T, workflow string, projects map[string]string) string {
	t.Helper()
	dir, err := os.MkdirTemp(work, "action-")
	if err != nil {
		t.Fatal(err)
	}
	copied := map[string]string{"action.yml": "action.yml", "action": "action", "test/real/testdata/action/" + workflow: ".github/workflows/" + workflow}
	for folder, from := range projects {
		copied[from] = folder
	}
	for from, to := range copied {
		if !filepath.IsAbs(from) {
			from = filepath.Join(top, from)
		}
		to = filepath.Join(dir, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		command(t, "", "cp", "-r", from, to)
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

// asOptions are the settings as options of act.
func asOptions(settings []string) []string {
	var options []string
	for _, entry := range settings {
		options = append(options, "--env", entry)
	}
	return options
}

// A workflow stages in one step and promotes in another by the digest alone.
func TestActionInAWorkflow(t *testing.T) {
	h := newHome(t)
	repository := actionRepository(t, "workflow.yml", map[string]string{"project": tiny{stamp: "action"}.project(t)})
	a := startAct(t, repository, nil, asOptions(h.settings()), nil).end(t, false)
	log := a.log.String()
	for _, want := range []string{
		`output VERDICT=pass\n`,
		`output DIGEST=sha256:[0-9a-f]{64}\n`,
		`output PROMOTED=false\n`,
		`\] golden \S+/tiny:golden\n`,
		`\] promoted true\n`,
		`::group::launch`,
		`(?s)Success - Post \./.*Success - Post \./`,
	} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("the log has no %s", want)
		}
	}
	a.secrets(t, password)
	goldentest.Compare(t, "testdata/action/workflow.golden", a.told())
	if t.Failed() {
		t.Log(log)
		return
	}
	staged := regexp.MustCompile(`output DIGEST=(\S+)`).FindStringSubmatch(log)[1]
	if v := verify(t, h, "tiny:golden", 0); v.Subject.Digest != staged {
		t.Errorf("golden is %s, and %s was staged", v.Subject.Digest, staged)
	}
}

// One image that a gate stops, and one that a probe does: the annotations stand at the lines that somebody can mend.
func TestActionStopped(t *testing.T) {
	h := newHome(t)
	gate, probe := tiny{stamp: "gate"}.project(t), tiny{stamp: "probe", probe: "run: {args: [/service, say, one thing], expect: another}"}.project(t)
	file := filepath.Join(gate, "Dockerfile")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "ENV DB_PASSWORD=hunter2hunter2\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	repository := actionRepository(t, "stopped.yml", map[string]string{"gate": gate, "probe": probe})
	a := startAct(t, repository, nil, asOptions(h.settings()), nil).end(t, true)
	a.secrets(t, password)
	goldentest.Compare(t, "testdata/action/stopped.golden", a.told())
	if t.Failed() {
		t.Log(a.log.String())
	}
}

// A job that is cancelled while its cluster runs: the runner sends SIGINT to the launcher, and nothing else.
func TestActionCancelled(t *testing.T) {
	h := newHome(t)
	repository := actionRepository(t, "cancelled.yml", map[string]string{"project": tiny{stamp: "cancelled", probe: longProbe}.project(t)})
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

// The same under act, which ends the step harder than GitHub's runner does: it kills the launcher. Then the program has to
// see for itself that nobody is there any more, and the post step to take down what is left.
func TestActionCancelledByAct(t *testing.T) {
	h := newHome(t)
	repository := actionRepository(t, "cancelled.yml", map[string]string{"project": tiny{stamp: "cancelled", probe: longProbe}.project(t)})
	launching := make(chan struct{})
	var once sync.Once
	a := startAct(t, repository, nil, asOptions(h.settings()), func(e actEvent) {
		if strings.Contains(e.Msg, "probe run") || strings.Contains(e.Msg, "serving on port") {
			once.Do(func() { close(launching) })
		}
	})
	select {
	case <-launching:
	case err := <-a.done:
		t.Fatalf("no launch began: %v\n%s", err, &a.log)
	case <-time.After(longest):
		t.Fatal("no launch began")
	}
	if err := a.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	a.end(t, true)
	if left := leftOf(h); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	a.secrets(t, password)
	results := map[string]string{}
	for _, e := range a.events {
		if e.StepResult != "" && e.Step == "./" {
			results[e.Stage] = e.StepResult
		}
	}
	if results["Main"] != "failure" || results["Post"] != "success" {
		t.Errorf("the step and its post ended with %v", results)
	}
	if !strings.Contains(a.log.String(), "Nothing was left behind") && !strings.Contains(a.log.String(), "Taken down: ") {
		t.Error("post says nothing of what it found")
	}
	if t.Failed() {
		t.Log(a.log.String())
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

// approved is the documented workflow: one job stages the demo's image, another promotes it by its digest. A home of its own,
// so that nothing stands already; the engine's cache is the one of the parts before.
func (s *sparkImage) approved(t *testing.T) {
	h := newHome(t)
	repository := actionRepository(t, "approval.yml", map[string]string{"images/spark": "examples/spark"})
	key, err := os.ReadFile(keyFiles + ".key")
	if err != nil {
		t.Fatal(err)
	}
	var contexts []string
	for _, flag := range s.contexts {
		contexts = append(contexts, strings.TrimPrefix(flag, "--build-context="))
	}
	options := asOptions([]string{"HALLMARK_HOME=" + h.dir, "HALLMARK_ENGINE_ROOT=" + filepath.Join(s.dir, "engine"), "HALLMARK_SCAN_DATABASE_FROM=demo"})
	options = append(options, "--secret", "HALLMARK_KEY", "--secret", "HALLMARK_KEY_PASSWORD", "--var", "IMAGE=spark",
		"--var", "TESTS_BINARY="+program, "--var", "TESTS_CONTEXTS="+strings.Join(contexts, "\n"))
	began := time.Now()
	a := startAct(t, repository, []string{"HALLMARK_KEY=" + string(key), "HALLMARK_KEY_PASSWORD=" + password}, options, nil).end(t, false)
	t.Logf("both jobs took %s", time.Since(began).Round(time.Second))
	a.secrets(t, password)
	goldentest.Compare(t, "testdata/action/approval.golden", withoutDebian(a.told()))
	if t.Failed() {
		t.Log(a.log.String())
	}
	if v := verify(t, h, "spark:golden", 0); v.Subject.Digest != s.first.report.Subject.Digest {
		t.Errorf("golden is %s, and the command line had made %s of the same files", v.Subject.Digest, s.first.report.Subject.Digest)
	}
}
