//go:build real

package real

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// actEvent is what act says of a workflow: a line of a step, a command of one, or the end of a step or job.
type actEvent struct {
	Job        string            `json:"job"`
	Step       string            `json:"step"`
	Stage      string            `json:"stage"`
	Msg        string            `json:"msg"`
	Command    string            `json:"command"`
	Name       string            `json:"name"`
	Arg        string            `json:"arg"`
	KVPairs    map[string]string `json:"kvPairs"`
	Content    string            `json:"content"` // of a summary
	StepResult string            `json:"stepResult"`
	JobResult  string            `json:"jobResult"`
}

// act is one call of act under way, which does what GitHub's runner does with actions, their commands, outputs and post
// steps, on this machine itself.
type act struct {
	cmd    *exec.Cmd
	events []actEvent
	log    bytes.Buffer
	done   chan error
}

// startAct runs the repository's one workflow. watch, if given, sees every event as it comes.
func startAct(t *testing.T, repository string, environment, options []string, watch func(actEvent)) *act {
	t.Helper()
	args := append([]string{"push", "--json", "--platform", "ubuntu-24.04=-self-hosted", "--platform", "ubuntu-latest=-self-hosted"}, options...)
	a := &act{cmd: exec.CommandContext(t.Context(), peer(t, "act"), args...), done: make(chan error, 1)}
	a.cmd.Dir = repository
	elsewhere := t.TempDir() // act's own settings and cache, and no daemon
	a.cmd.Env = append(os.Environ(), "HOME="+elsewhere, "XDG_CONFIG_HOME="+elsewhere, "XDG_CACHE_HOME="+elsewhere, "DOCKER_HOST=unix://"+elsewhere+"/none.sock")
	a.cmd.Env = append(a.cmd.Env, environment...)
	if err := os.MkdirAll(filepath.Join(elsewhere, "act"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "act", "actrc"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	read, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	a.cmd.Stderr = a.cmd.Stdout
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(read)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var event actEvent
			if json.Unmarshal(lines.Bytes(), &event) != nil {
				event = actEvent{Msg: lines.Text()}
			}
			a.events = append(a.events, event)
			fmt.Fprintf(&a.log, "[%s] %s\n", event.Job, strings.TrimRight(event.Msg, "\n"))
			if watch != nil {
				watch(event)
			}
		}
		a.done <- a.cmd.Wait()
	}()
	return a
}

// end waits for act, which must fail or not.
func (a *act) end(t *testing.T, fails bool) *act {
	t.Helper()
	select {
	case err := <-a.done:
		if (err != nil) != fails {
			t.Fatalf("act: %v\n%s", err, &a.log)
		}
	case <-time.After(longest):
		_ = a.cmd.Process.Kill()
		t.Fatalf("act hangs:\n%s", &a.log)
	}
	return a
}

// secrets fails the test if a secret stands in the log, or in anything that is not the command that masks it.
func (a *act) secrets(t *testing.T, secrets ...string) {
	t.Helper()
	masked := map[string]bool{}
	for _, e := range a.events {
		if e.Command == "add-mask" {
			masked[e.Arg] = true
			continue
		}
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets {
			if bytes.Contains(body, []byte(s)) {
				t.Errorf("a secret is in the log: %s", body)
			}
		}
	}
	for _, s := range secrets {
		if !masked[s] {
			t.Errorf("a secret was never masked, of %d that were", len(masked))
		}
	}
}

// told is what the runner was told, step by step: masks, annotations, outputs, summaries, results.
func (a *act) told() string {
	var b strings.Builder
	last, masks, outputs := "", 0, []string{}
	flush := func() {
		if masks > 0 {
			fmt.Fprintf(&b, "mask: the key and its password\n")
		}
		slices.Sort(outputs)
		b.WriteString(strings.Join(outputs, ""))
		masks, outputs = 0, nil
	}
	for _, e := range a.events {
		if at := strings.TrimSpace(e.Job + ", " + e.Stage + " " + e.Step); e.Step != "" && at != last {
			flush()
			last = at
			b.WriteString("\n== " + at + "\n")
		}
		switch e.Command {
		case "add-mask":
			masks++
		case "error", "warning", "notice":
			var where []string
			for key, value := range e.KVPairs {
				where = append(where, key+"="+value)
			}
			slices.Sort(where)
			fmt.Fprintf(&b, "%s %s: %s\n", e.Command, strings.Join(where, " "), e.Arg)
		case "set-output":
			outputs = append(outputs, "output "+e.Name+": "+e.Arg+"\n")
		case "summary":
			flush()
			b.WriteString("summary:\n" + indent(e.Content))
		}
		if e.StepResult != "" {
			flush()
			b.WriteString("result: " + e.StepResult + "\n")
		}
		if e.JobResult != "" {
			b.WriteString("\n== " + e.Job + ": " + e.JobResult + "\n")
		}
	}
	return strings.TrimSpace(stable(b.String())) + "\n"
}

// together are rows that come in another order each time: evidence is signed at the same time.
var together = regexp.MustCompile(`(?m)(^    \| (signature|provenance|sbom|vulnerabilities|check|launch|promotion) \| .*\n)+`)

func sorted(rows string) string {
	lines := strings.SplitAfter(rows, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

// changing is what differs from run to run and from machine to machine.
var changing = []struct {
	what *regexp.Regexp
	is   string
}{
	{regexp.MustCompile(`\b\d{8}-\d{6}-[0-9a-f]{6}\b`), "RUN"},
	{regexp.MustCompile(`(sandbox-RUN-)[a-z2-7]+`), "${1}ID"},
	{regexp.MustCompile(`(/[\w.-]+)+/(hostexecutor|home-\d+|tmp|hallmark-real-\d+)\b`), "FOLDER"},
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "sha256:DIGEST"},
	{regexp.MustCompile(`sha256:[0-9a-f]{40,63}…`), "sha256:DIGEST…"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "SHORT"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?\b`), "DATE"},
	{regexp.MustCompile(`\b(\d+m)?\d+(\.\d+)?s\b`), "TIME"},
	{regexp.MustCompile(`\b\d+(\.\d+)? [kMG]?B\b`), "SIZE"},
	{regexp.MustCompile(`:(done|crit), \d+, \d+`), ":$1, FROM, TO"},
	{regexp.MustCompile(`\b\d+ cached\b`), "N cached"},
	{regexp.MustCompile(`\b\d+ (blobs?) sent \(SIZE\), \d+ there`), "N blobs sent (SIZE), N there"},
	{regexp.MustCompile(`\d+ of them read before`), "N of them read before"},
	// A gate that fails stops the upload beside it, wherever that is.
	{regexp.MustCompile(`\| (✓|–) \| upload \| TIME \| (skipped: stopped half-way, for the image goes no further|N blobs sent .*) \|\n(    \| · \| stage)`), "| ? | upload | TIME | as far as it came |\n$3"},
	{regexp.MustCompile(`Pi is roughly [\d.]+`), "Pi is roughly PI"},
	{regexp.MustCompile(`Hallmark [\w.+-]+\.</sub>`), "Hallmark VERSION.</sub>"},
}

func stable(text string) string {
	text = strings.ReplaceAll(text, program, "PROGRAM")
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.is)
	}
	return together.ReplaceAllStringFunc(text, sorted)
}

// debians is what changes with the packages that the demo's image gets from Debian, and with what Spark logs.
var debians = []struct {
	what *regexp.Regexp
	is   string
}{
	{regexp.MustCompile("(?s)```text\n.*?\n    ```"), "```text\n    LOG\n    ```"},
	{regexp.MustCompile(`(?m)^    \|  (\| (critical|high|medium|low|unknown) )+\| total \|\n    \| --- (\| ---: )+\|`), "    SEVERITIES"},
	{regexp.MustCompile(`(?m)(^    \| (waived|new|) \| (critical|high|medium|low|unknown) \| .*\n)+`), "    FINDINGS\n"},
	{regexp.MustCompile(`<summary>\d+ more<`), "<summary>N more<"},
	{regexp.MustCompile(`(?m)^    \| (all|blocking) (\| \d+ )+\|`), "    | $1 | NUMBERS |"},
	{regexp.MustCompile(`\d+ (packages|findings|components)`), "N $1"},
	{regexp.MustCompile(`packages: \d+ to note`), "packages: N to note"},
	{regexp.MustCompile(` in (\S+) \S+: \S+ \S+ is affected by`), " in $1 VERSION: is affected by"},
	{regexp.MustCompile("(spark-pi \\d+ \\| pass \\| TIME \\| )`[^`]*`"), "${1}SAID"},
}

func withoutDebian(text string) string {
	for _, c := range debians {
		text = c.what.ReplaceAllString(text, c.is)
	}
	return text
}
