package ci

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	actions "github.com/sethvargo/go-githubactions"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// GitHub's limits: of an annotation's message and title, and of a step's summary, in bytes.
const (
	githubMessage = 4<<10 - 4 // less what says that there was more
	githubTitle   = 255 - 4
	githubSummary = 1 << 20
)

// githubDelimiter ends a value in the files that GitHub reads outputs from. The library always takes the same one, so a
// value must not hold it.
const githubDelimiter = "_GitHubActionsFileCommandDelimeter_"

// gitHub speaks to the runner of GitHub Actions, in commands of the log and through the files that it names.
type gitHub struct {
	guard *Guard
	env   Env
	open  bool
	err   error
}

func newGitHub(guard *Guard, env Env) *gitHub { return &gitHub{guard: guard, env: env} }

func (g *gitHub) Log() io.Writer { return g.guard }

// say issues commands through the library, which panics where it cannot write.
func (g *gitHub) say(issue func(*actions.Action)) {
	var text bytes.Buffer
	issue(actions.New(actions.WithWriter(&text), actions.WithGetenv(actions.GetenvFunc(g.env))))
	g.guard.command(text.String())
}

// file writes to one of the runner's files. A runner that names none has none.
func (g *gitHub) file(variable string, issue func(*actions.Action)) {
	path := g.env(variable)
	if path == "" {
		return
	}
	defer func() {
		if failed := recover(); failed != nil && g.err == nil {
			g.err = fmt.Errorf("writing to the file of %s, which the runner reads: %v", variable, failed)
		}
	}()
	issue(actions.New(actions.WithWriter(io.Discard), actions.WithGetenv(actions.GetenvFunc(g.env))))
}

func (g *gitHub) Open(_, title string) {
	g.Close()
	g.open = true
	g.say(func(a *actions.Action) { a.Group(oneLine(title, githubTitle)) })
}

func (g *gitHub) Close() {
	if g.open {
		g.say(func(a *actions.Action) { a.EndGroup() })
	}
	g.open = false
}

func (g *gitHub) Annotate(n Annotation) {
	n = titled(n)
	fields := map[string]string{"title": oneLine(n.Title, githubTitle)}
	if n.File != "" {
		fields["file"] = oneLine(n.File, githubMessage)
		for name, value := range map[string]int{"line": n.Line, "col": n.Column} {
			if value > 0 {
				fields[name] = strconv.Itoa(value)
			}
		}
	}
	message := severalLines(n.Message, githubMessage)
	g.say(func(a *actions.Action) {
		a = a.WithFieldsMap(fields)
		switch n.Level {
		case Error:
			a.Errorf("%s", message)
		case Warning:
			a.Warningf("%s", message)
		default:
			a.Noticef("%s", message)
		}
	})
}

func (g *gitHub) Mask(value string) { g.say(func(a *actions.Action) { a.AddMask(value) }) }

func (g *gitHub) Output(name, value string) {
	value = undelimited(foreign.Text(value))
	g.file("GITHUB_OUTPUT", func(a *actions.Action) { a.SetOutput(name, value) })
}

// undelimited is a value that cannot end itself, also where taking the delimiter out makes another one of what is left.
func undelimited(value string) string {
	for strings.Contains(value, githubDelimiter) {
		value = strings.ReplaceAll(value, githubDelimiter, "")
	}
	return value
}

func (g *gitHub) Summary(markdown string) {
	// What an earlier call of the same step wrote counts too.
	room := githubSummary - 1
	if info, err := os.Stat(g.env("GITHUB_STEP_SUMMARY")); err == nil {
		room -= int(info.Size())
	}
	const more = "\n\n…and more: see the report.\n"
	switch {
	case room <= len(more)+len(foreign.Ellipsis):
		return
	case len(markdown) > room:
		markdown = foreign.Bound(markdown, room-len(more)-len(foreign.Ellipsis))
		markdown = markdown[:strings.LastIndexByte(markdown, '\n')+1] + more
	}
	g.file("GITHUB_STEP_SUMMARY", func(a *actions.Action) { a.AddStepSummary(secret.Redact(markdown)) })
}

// Debug shows lines that people see who have switched on the step's debug log.
func (g *gitHub) Debug(text string) {
	for _, line := range foreign.Lines(text) {
		g.say(func(a *actions.Action) { a.Debugf("%s", oneLine(line, githubMessage)) })
	}
}

// SaveState keeps a value for the action's post step.
func (g *gitHub) SaveState(name, value string) {
	value = undelimited(foreign.Line(value))
	g.file("GITHUB_STATE", func(a *actions.Action) { a.SaveState(name, value) })
}

func (g *gitHub) Finish(bool, string) { g.Close() }

func (g *gitHub) Err() error { return errors.Join(g.guard.Flush(), g.err) }
