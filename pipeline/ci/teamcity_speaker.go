package ci

import (
	"fmt"
	"io"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// teamCity speaks in service messages: https://www.jetbrains.com/help/teamcity/service-messages.html
type teamCity struct {
	plain
	open string
}

func newTeamCity(guard *Guard) *teamCity { return &teamCity{plain: plain{guard: guard}} }

func (t *teamCity) Log() io.Writer { return t.guard }

// teamCityMessage bounds a value: a build problem's description has at most 4000 characters.
const teamCityMessage = 4000 - 4

// teamCityEscape writes a value as service messages want it; what is not ASCII as |0xHHHH.
func teamCityEscape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '|' || r == '\'' || r == '[' || r == ']':
			b.WriteString("|" + string(r))
		case r == '\n':
			b.WriteString("|n")
		case r == '\r':
			b.WriteString("|r")
		case r < ' ' || r > '~' && r <= 0xffff:
			fmt.Fprintf(&b, "|0x%04x", r)
		case r > 0xffff:
			b.WriteString("?")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// say issues one message; attributes are pairs of a name and a value.
func (t *teamCity) say(message string, attributes ...string) {
	var b strings.Builder
	b.WriteString("##teamcity[" + message)
	for i := 0; i+1 < len(attributes); i += 2 {
		b.WriteString(" " + attributes[i] + "='" + teamCityEscape(foreign.Bound(attributes[i+1], teamCityMessage)) + "'")
	}
	t.guard.command(b.String() + "]\n")
}

func (t *teamCity) Open(_, title string) {
	t.Close()
	t.open = oneLine(title, 200)
	t.say("blockOpened", "name", t.open)
}

func (t *teamCity) Close() {
	if t.open != "" {
		t.say("blockClosed", "name", t.open)
	}
	t.open = ""
}

func (t *teamCity) Annotate(n Annotation) {
	n = titled(n)
	text := foreign.Line(n.Title) + ": " + foreign.Text(n.Message)
	if n.File != "" {
		text = fmt.Sprintf("%s:%d: %s", foreign.Line(n.File), n.Line, text)
	}
	status := "NORMAL"
	switch n.Level {
	case Error:
		status = "ERROR"
	case Warning:
		status = "WARNING"
	}
	t.say("message", "text", text, "status", status)
}

func (t *teamCity) Output(name, value string) {
	t.say("setParameter", "name", "hallmark."+name, "value", strings.Join(foreign.Lines(value), ","))
}

func (t *teamCity) Finish(ok bool, headline string) {
	t.Close()
	if !ok {
		t.say("buildProblem", "description", foreign.Line(headline), "identity", "hallmark")
	}
}
