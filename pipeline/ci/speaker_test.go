package ci

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// on is a speaker whose clock and agent are the test's.
func on(system System, out *bytes.Buffer, env Env, agent *bytes.Buffer) Speaker {
	says := Speak(system, out, env)
	switch s := says.(type) {
	case *gitLab:
		s.now = func() time.Time { return time.Unix(1_800_000_000, 0) }
	case *buildKite:
		s.agent = func(input string, args ...string) error {
			fmt.Fprintf(agent, "$ buildkite-agent %q <<%q\n", args, input)
			return nil
		}
	}
	return says
}

const hostileText = "50% done; a]b,c:d 'e' |f|\n::error::evil\r##vso[task.complete result=Succeeded]\n##teamcity[buildStatus]\x1b[31m ünï"

// TestSpeakers says the same on every system, and compares what is in the log and in the files with last time.
func TestSpeakers(t *testing.T) {
	t.Parallel()
	for _, system := range append([]System{None}, Systems...) {
		t.Run(string(system)+"-", func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			files := env(map[string]string{
				"GITHUB_OUTPUT": folder + "/output", "GITHUB_STATE": folder + "/state", "GITHUB_STEP_SUMMARY": folder + "/summary", "AGENT_TEMPDIRECTORY": folder,
			})
			var out, agent bytes.Buffer
			says := on(system, &out, files, &agent)
			says.Mask("s3cr;et%")
			says.Open("build", "build "+hostileText)
			fmt.Fprintln(says.Log(), "  0.1s  build    started")
			fmt.Fprint(says.Log(), hostileText)
			says.Close()
			says.Open("check", "check")
			says.Annotate(Annotation{Level: Error, Title: "base.user (high)", Message: "runs as root\n" + hostileText, File: "images/a,b:c;d/Dockerfile", Line: 12, Column: 3})
			says.Annotate(Annotation{Level: Warning, Title: hostileText, Message: "grave"})
			says.Annotate(Annotation{Level: Notice, Message: "note"})
			says.Output("digest", "sha256:abc")
			says.Output("golden", "a:golden\nb:golden\n"+githubDelimiter+"\nevil=1")
			says.Output("empty", "")
			says.Summary("## ✅ Hallmark: PASS\n")
			if keeper, ok := says.(interface{ SaveState(name, value string) }); ok {
				keeper.SaveState("home", "/home/x")
			}
			says.Finish(false, "The check gate stops the image: "+hostileText)
			if err := says.Err(); err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(out.String(), "\x1b", "\\e")
			text = strings.ReplaceAll(text, "\r", "\\r")
			text = regexp.MustCompile(`Hallmark-\d+`).ReplaceAllString(strings.ReplaceAll(text, folder, "$FOLDER"), "Hallmark-0")
			for _, name := range []string{"output", "state", "summary"} {
				if body, err := os.ReadFile(filepath.Join(folder, name)); err == nil {
					text += "--- " + name + "\n" + string(body)
				}
			}
			if agent.Len() > 0 {
				text += "--- agent\n" + agent.String()
			}
			name := string(system)
			if system == None {
				name = "none"
			}
			goldentest.Compare(t, filepath.Join("testdata", name+".golden"), text)
		})
	}
}

// own are the commands that a speaker may issue, each at the beginning of a line, and nothing else in it.
var own = map[System]*regexp.Regexp{
	GitHub:    regexp.MustCompile(`^::(error|warning|notice|group|endgroup|add-mask)( [^:\r\n]*)?::`),
	GitLab:    regexp.MustCompile(`^\x1b\[0Ksection_(start|end):\d+:hallmark_[A-Za-z0-9_.-]*\r\x1b\[0K`),
	Azure:     regexp.MustCompile(`^##(\[(group|endgroup)\]|vso\[task\.(logissue|setvariable|uploadsummary|complete)( [^\]\r\n]*)?\])`),
	TeamCity:  regexp.MustCompile(`^##teamcity\[\w+( \w+='([^'|\[\]\r\n]|\|[nr|'\[\]]|\|0x[0-9a-f]{4})*')*\]$`),
	Buildkite: regexp.MustCompile(`^--- `),
}

// FuzzSpeakers: whatever a text is, the log has the commands that were meant, one a line, and no other.
func FuzzSpeakers(f *testing.F) {
	for _, attack := range append(attacks, hostileText, strings.Repeat("x", 9000)) {
		f.Add(attack)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for system, mine := range own {
			var out, agent bytes.Buffer
			says := on(system, &out, env(nil), &agent)
			says.Open(text, text)
			says.Annotate(Annotation{Level: Error, Title: text, Message: text, File: text, Line: 1})
			fmt.Fprintln(says.Log(), text)
			says.Output("digest", text)
			says.Finish(false, text)
			if err := says.Err(); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				line = strings.TrimSuffix(line, "\n")
				rest := mine.ReplaceAllString(line, "x")
				if mark := obeyed(rest); mark != "" {
					t.Errorf("%s, of %q: the line %q holds more than its command: %q (%s)", system, text, line, rest, mark)
				}
			}
		}
	})
}

// FuzzOutputs reads back what the runner of GitHub would read from the file of outputs.
func FuzzOutputs(f *testing.F) {
	for _, attack := range append(attacks, githubDelimiter, "a\n"+githubDelimiter+"\nevil<<x\n1\nx", "_GitHubActionsFileCommand_GitHubActionsFileCommandDelimeter_Delimeter_") {
		f.Add(attack)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "output")
		says := Speak(GitHub, &bytes.Buffer{}, env(map[string]string{"GITHUB_OUTPUT": path}))
		says.Output("first", text)
		says.Output("last", "1")
		if err := says.Err(); err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := outputs(t, string(body)); len(got) != 2 || got["last"] != "1" {
			t.Errorf("%q gave the outputs %q", text, got)
		}
	})
}

// outputs reads a file of outputs as the runner does.
func outputs(t *testing.T, text string) map[string]string {
	t.Helper()
	all := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" {
			continue
		}
		name, delimiter, heredoc := strings.Cut(lines[i], "<<")
		if !heredoc {
			t.Fatalf("%q is no output", lines[i])
		}
		var value []string
		for i++; i < len(lines) && lines[i] != delimiter; i++ {
			value = append(value, lines[i])
		}
		if i == len(lines) {
			t.Fatalf("the value of %s has no end", name)
		}
		all[name] = strings.Join(value, "\n")
	}
	return all
}

// TestSummaryStaysWithinTheLimit: GitHub refuses a summary of more than 1 MiB as a whole.
func TestSummaryStaysWithinTheLimit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "summary")
	says := Speak(GitHub, &bytes.Buffer{}, env(map[string]string{"GITHUB_STEP_SUMMARY": path}))
	says.Summary(strings.Repeat("a line of some length\n", 60_000))
	says.Summary("more\n")
	info, err := os.Stat(path)
	if err != nil || says.Err() != nil {
		t.Fatal(err, says.Err())
	}
	if info.Size() > githubSummary || info.Size() < githubSummary/2 {
		t.Errorf("%d bytes", info.Size())
	}
	body, _ := os.ReadFile(path)
	if !strings.Contains(string(body), "…and more") {
		t.Error("nothing says that there was more")
	}
}

// TestFilesThatCannotBeWritten: what the runner would not learn is told, and nothing panics.
func TestFilesThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	says := Speak(GitHub, &bytes.Buffer{}, env(map[string]string{"GITHUB_OUTPUT": t.TempDir()}))
	says.Output("digest", "x")
	if err := says.Err(); err == nil || !strings.Contains(err.Error(), "GITHUB_OUTPUT") {
		t.Errorf("%v", err)
	}
}
