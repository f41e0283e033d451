package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// maxProblems bounds how many problems are told at once, maxKept how many are kept to choose the first of them from.
const (
	maxProblems = 20
	maxKept     = 1000
)

// hidden stands where a secret stood.
const hidden = "***"

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	Source  string // the file as it was given, or "environment HALLMARK_…", or "--set …"
	Line    int    // from 1; 0: no line
	Column  int    // in characters, from 1
	Width   int    // characters that the mistake spans, at least 1
	Text    string // the line itself, without secrets
	Field   string // path of the field: "launch[0].limits.memory"
	Message string
	Hint    string // what to write instead
}

// String is the problem as people read it: position and message, the line with a caret, the suggestion.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Source)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Field != "" && !strings.HasSuffix(p.Source, " "+p.Field) { // --set says the field itself
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message + "\n")
	if p.Line > 0 {
		line, caret := excerpt(p.Text, p.Column, p.Width)
		margin := fmt.Sprintf("%5d | ", p.Line)
		fmt.Fprintf(&b, "%s%s\n%s| %s\n", margin, line, strings.Repeat(" ", len(margin)-2), caret)
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "      = %s\n", p.Hint)
	}
	return b.String()
}

// Problems is the error that Load returns: everything that is wrong, as far as it was looked at.
type Problems struct {
	List []Problem
	More int // how many more there are
}

func (p *Problems) Error() string {
	var b strings.Builder
	for _, problem := range p.List {
		b.WriteString(problem.String())
	}
	if p.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", p.More)
	}
	return strings.TrimRight(b.String(), "\n")
}

// Unwrap makes every problem one of usage: exit code 2.
func (p *Problems) Unwrap() error { return verdict.ErrUsage }

// excerptWidth is how much of a long line is shown around the mistake.
const excerptWidth = 96

// excerpt is the part of line around column, and a second line with a caret under the mistake.
func excerpt(line string, column, width int) (string, string) {
	runes := []rune(foreign.Columns(line))
	at := min(max(column-1, 0), len(runes))
	from := 0
	if len(runes) > excerptWidth {
		from = max(0, min(at-excerptWidth/2, len(runes)-excerptWidth))
		runes = runes[from:min(len(runes), from+excerptWidth)]
	}
	shown := string(runes)
	if from > 0 {
		shown = "…" + shown
		from--
	}
	width = max(1, min(width, len([]rune(shown))-(at-from)))
	return shown, strings.Repeat(" ", at-from) + strings.Repeat("^", width)
}

// literalSecret finds what follows a key that promises a secret, unless it is a reference.
var literalSecret = regexp.MustCompile(`(?i)([a-z_.\-]*(?:password|passwd|token|secret|api_?key)[a-z_\-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,}\]{\[]+)`)

// harmless is the switch of the scanner.
var harmless = regexp.MustCompile(`(?i)^["']?secrets["']?\s*[:=]\s*["']?(true|false|yes|no|on|off|[0-9])["']?$`)

// withoutSecrets hides the values in line that look like secrets written where their references belong.
func withoutSecrets(line string, known []string) string {
	for _, value := range known {
		if value != "" {
			line = strings.ReplaceAll(line, value, hidden)
		}
	}
	return literalSecret.ReplaceAllStringFunc(line, func(match string) string {
		parts := literalSecret.FindStringSubmatch(match)
		value := strings.Trim(parts[2], `"'`)
		if strings.HasPrefix(value, "env:") || strings.HasPrefix(value, "file:") || harmless.MatchString(match) {
			return match
		}
		return parts[1] + hidden
	})
}
