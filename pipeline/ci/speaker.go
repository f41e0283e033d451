package ci

import (
	"io"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// Level says how an annotation is shown.
type Level string

const (
	Error   Level = "error"
	Warning Level = "warning"
	Notice  Level = "notice"
)

// Annotation is one sentence at one place of the project.
type Annotation struct {
	Level   Level
	Title   string
	Message string
	File    string // relative to the checkout; empty: about the run as a whole
	Line    int    // from 1; 0: the file as a whole
	Column  int    // from 1; 0: unknown
}

// Speaker says things in the way of one system. Texts may be foreign: whatever they hold, they stay texts.
//
// Commands of the log are not answered; that a file could not be written is told by Err, once, at the end.
type Speaker interface {
	// Log is where everything else that people read of the run goes, through the same lock as the commands.
	Log() io.Writer
	// Open begins a section of the log that people can fold, Close ends it. Sections do not nest.
	Open(name, title string)
	Close()
	// Annotate tells of one thing at its place. Beyond what a system takes, annotations are dropped: see Most.
	Annotate(Annotation)
	// Mask hides value in the log from now on. It is written to the log for that: only where nobody else reads it.
	Mask(value string)
	// Output hands a value to later steps.
	Output(name, value string)
	// Summary shows Markdown on the page of the run.
	Summary(markdown string)
	// Finish tells how the run ended, where the exit code alone does not.
	Finish(ok bool, headline string)
	// Err is the first thing that could not be said.
	Err() error
}

// Most is how many annotations of each level are shown. GitHub takes ten of a level from each step, and drops the rest
// without a word; the last one says what is missing instead.
const Most = 10

// Speak returns the speaker of a system, writing commands and everything else to w.
func Speak(system System, w io.Writer, env Env) Speaker {
	guard := NewGuard(w)
	switch system {
	case GitHub:
		return newGitHub(guard, env)
	case GitLab:
		return newGitLab(guard)
	case Azure:
		return newAzure(guard, env)
	case TeamCity:
		return newTeamCity(guard)
	case Buildkite:
		return newBuildkite(guard)
	default:
		return &plain{guard: guard}
	}
}

// plain is a system without commands: sections are headings, the rest is said by files and by the exit code.
type plain struct{ guard *Guard }

func (p *plain) Log() io.Writer      { return p.guard }
func (p *plain) Open(_, _ string)    {}
func (p *plain) Close()              {}
func (p *plain) Annotate(Annotation) {}
func (p *plain) Mask(string)         {}
func (p *plain) Output(_, _ string)  {}
func (p *plain) Summary(string)      {}
func (p *plain) Finish(bool, string) {}
func (p *plain) Err() error          { return p.guard.Flush() }

// oneLine is a text that a command carries: of one line, without control characters, of at most so many bytes, and itself
// no command to a system that looks for them anywhere in a line.
func oneLine(text string, most int) string { return foreign.Bound(Harmless(foreign.Line(text)), most) }

// severalLines is oneLine for texts whose line ends a command can carry.
func severalLines(text string, most int) string {
	return foreign.Bound(Harmless(foreign.Text(text)), most)
}

// titled is an annotation that has a title.
func titled(n Annotation) Annotation {
	if n.Title == "" {
		n.Title = "Hallmark"
	}
	return n
}
