package ci

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
)

// Guard is a writer for a log that a system reads for commands. Whole lines go on, one at a time, and none of them is a
// command to any of the systems that this package knows: not even of another one than the program runs on, for jobs run
// in containers of other jobs, and logs are replayed. What shall be a command is written by a Speaker, which escapes it.
type Guard struct {
	mu       sync.Mutex
	w        io.Writer
	harmless func(string) string
	partial  []byte
	err      error
}

// NewGuard returns a Guard for text in front of w.
func NewGuard(w io.Writer) *Guard { return &Guard{w: w, harmless: Harmless} }

// NewJSONGuard returns a Guard for JSON, which it leaves with the same meaning.
func NewJSONGuard(w io.Writer) *Guard { return &Guard{w: w, harmless: HarmlessJSON} }

// maxPartial bounds how much of a line is kept until its end comes.
const maxPartial = 64 << 10

// Write takes text that may hold anything. It claims to have written what it keeps of an unfinished line.
func (g *Guard) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.partial = append(g.partial, p...)
	if end := bytes.LastIndexByte(g.partial, '\n') + 1; end > 0 {
		g.put(string(g.partial[:end]))
		g.partial = append(g.partial[:0], g.partial[end:]...)
	}
	if len(g.partial) >= maxPartial {
		g.endLine()
	}
	return len(p), g.err
}

// Flush ends an unfinished line.
func (g *Guard) Flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endLine()
	return g.err
}

func (g *Guard) endLine() {
	if len(g.partial) > 0 {
		g.put(string(g.partial) + "\n")
		g.partial = g.partial[:0]
	}
}

func (g *Guard) put(text string) {
	if g.err == nil {
		_, g.err = io.WriteString(g.w, g.harmless(text))
	}
}

// command writes what shall be a command: on lines of its own, in one piece.
func (g *Guard) command(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endLine()
	if g.err == nil {
		_, g.err = io.WriteString(g.w, text)
	}
}

// gap is put into what would begin a command. It has no width: people read the text as it was.
const gap = "\u200b"

var (
	// hashed are the commands that systems obey wherever they stand in a line: GitHub's and Azure's older ones, those of
	// Azure, TeamCity's service messages.
	hashed = regexp.MustCompile(`(?i)#(#(?:vso|teamcity)?\[)`)
	// sections are GitLab's.
	sections = regexp.MustCompile(`(?i)(section)(_(?:start|end):)`)
	// colons are GitHub's commands: at the beginning of a line, behind any blanks.
	colons = regexp.MustCompile(`(?m)^([\pZ\pC]*):(:)`)
	// headings are the lines at which Buildkite folds its log.
	headings = regexp.MustCompile(`(?m)^((?:---|\+\+\+|~~~|\^\^\^) )`)
	// controls begin a line for whoever splits there, or carry sections, and the notes that Jenkins hides in its logs.
	controls = strings.NewReplacer("\r\n", "\n", "\r", " ", "\v", " ", "\f", " ", "\u0085", " ", "\u2028", " ", "\u2029", " ", "\x1b", "\ufffd", "\x00", "\ufffd")
)

// Harmless is text no line of which is a command to any system. Readers see no difference.
func Harmless(text string) string {
	text = controls.Replace(text)
	text = hashed.ReplaceAllString(text, "#"+gap+"$1")
	text = sections.ReplaceAllString(text, "${1}"+gap+"$2")
	text = colons.ReplaceAllString(text, "${1}:"+gap+"$2")
	return headings.ReplaceAllString(text, gap+"$1")
}

// HarmlessJSON is Harmless for JSON: the same value, written otherwise. No line of JSON begins with a colon.
func HarmlessJSON(text string) string {
	text = hashed.ReplaceAllString(text, `#\u0023`+"\x00$1")
	text = strings.ReplaceAll(text, "\x00#", "")
	return sections.ReplaceAllStringFunc(text, func(mark string) string { return strings.Replace(mark, "_", `\u005f`, 1) })
}
