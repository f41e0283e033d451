package check

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Problem is one mistake in a pack, at the place where its author can mend it. It is a usage error: a broken pack
// says nothing about the image.
type Problem struct {
	File       string // as the author knows it: the folder that was given and the path in it
	Line       int    // from 1; 0: the file as a whole
	Column     int    // from 1; 0: the line as a whole
	Text       string // the line itself
	Message    string
	Suggestion string // one sentence, may be empty
}

func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": " + p.Message)
	if p.Text != "" {
		b.WriteString("\n    " + p.Text)
		if p.Column > 0 {
			b.WriteString("\n    " + caretUnder(p.Text, p.Column))
		}
	}
	if p.Suggestion != "" {
		b.WriteString("\n  " + p.Suggestion)
	}
	return b.String()
}

// caretUnder keeps the line's own tabs, so that the mark stands below its column however wide tabs are shown.
func caretUnder(text string, column int) string {
	var b strings.Builder
	for i, r := range text {
		if i >= column-1 {
			break
		}
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String() + "^"
}

// Is makes every problem a usage error.
func (p *Problem) Is(target error) bool { return target == verdict.ErrUsage }

// maxProblems bounds how many mistakes of one pack are shown at once.
const maxProblems = 10

// problems joins mistakes into one error, or none.
func problems(list []*Problem) error {
	if len(list) == 0 {
		return nil
	}
	errs := make([]error, 0, len(list))
	for i, p := range list {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%w: and %d more problems like these", verdict.ErrUsage, len(list)-i))
			break
		}
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// at makes a problem of the source at line and column.
func (s *source) at(file string, line, column int, format string, args ...any) *Problem {
	p := &Problem{File: path.Join(s.shown, file), Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
	if body, ok := s.files[file]; ok {
		p.Text = lineOf(body, line)
	}
	if p.Text == "" {
		p.Column = 0
	}
	return p
}

// maxLine bounds how much of a source line is repeated in an error.
const maxLine = 200

func lineOf(body []byte, line int) string {
	if line < 1 {
		return ""
	}
	lines := strings.SplitN(string(body), "\n", line+1)
	if line > len(lines) {
		return ""
	}
	text := strings.TrimRight(lines[line-1], " \t\r")
	if len(text) > maxLine {
		text = text[:maxLine]
	}
	return foreign.Spelled(text)
}

// ofOPA translates the compiler's errors into problems of this source.
func (s *source) ofOPA(err error) error {
	var list ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = ast.Errors{one}
	default:
		return fmt.Errorf("%w: pack %s: %w", verdict.ErrUsage, s.shown, err)
	}
	list.Sort()
	var out []*Problem
	for _, e := range list {
		p := &Problem{File: s.shown, Message: e.Message}
		if e.Location != nil {
			p = s.at(strings.TrimPrefix(e.Location.File, modulePrefix), e.Location.Row, e.Location.Col, "%s", e.Message)
		}
		p.Suggestion = suggestionFor(e)
		out = append(out, p)
	}
	return problems(out)
}

func suggestionFor(e *ast.Error) string {
	if detail, ok := e.Details.(*ast.RefErrInvalidDetail); ok && len(detail.OneOf) > 0 && detail.Pos < len(detail.Ref) {
		wrong := strings.Trim(detail.Ref[detail.Pos].Value.String(), `"`)
		known := make([]string, 0, len(detail.OneOf))
		for _, v := range detail.OneOf {
			known = append(known, strings.Trim(v.String(), `"`))
		}
		return didYouMean(wrong, known)
	}
	name, isFunction := strings.CutPrefix(e.Message, "undefined function ")
	switch {
	case isFunction && withheld(name):
		return "Rules see facts only: functions that reach the network, the host or chance are not available to packs."
	case isFunction:
		return "Check the spelling, and that the package with this function is imported."
	case strings.HasPrefix(e.Message, "unexpected eof"):
		return "A brace, bracket, parenthesis or quote above is not closed."
	case e.Code == ast.UnsafeVarErr:
		return "Give the variable a value before it is used (:=, some … in …), or check the spelling."
	case e.Code == ast.RecursionErr:
		return "Rego rules must not refer to themselves, directly or through others."
	default:
		return ""
	}
}

// didYouMean names the closest of known when it is close enough to be a slip, else what there is to choose from.
func didYouMean(wrong string, known []string) string {
	slices.Sort(known)
	best, distance := "", max(2, len(wrong)/3)+1
	for _, k := range known {
		if d := levenshtein.ComputeDistance(wrong, k); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("Did you mean %q?", best)
	case len(known) == 0:
		return ""
	case len(known) > 20:
		return "Known here: " + strings.Join(known[:20], ", ") + ", …"
	default:
		return "Known here: " + strings.Join(known, ", ") + "."
	}
}
