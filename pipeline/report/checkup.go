package report

import (
	"bufio"
	"io"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Health says how one thing that runs need is.
type Health string

const (
	Well    Health = "ok"
	Care    Health = "warning" // a run works, but somebody should know
	Ill     Health = "fail"    // a run would end here, until somebody mends it
	Unknown Health = "unknown" // it could not be found out: no answer, no network
)

// Checkup is what `hallmark doctor` found.
type Checkup struct {
	Version int    `json:"version"`
	Image   string `json:"image"`
	// ExitCode is 0 where a run can work, 1 where something must be mended first, 3 where something could not be found out.
	ExitCode int       `json:"exit_code"`
	Lines    []Symptom `json:"lines"`
}

// Symptom is one thing that was looked at.
type Symptom struct {
	What   string `json:"what"`
	Health Health `json:"health"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Add writes down one thing, and what it means for the exit code.
func (c *Checkup) Add(s Symptom) {
	c.Lines = append(c.Lines, s)
	switch {
	case s.Health == Ill:
		c.ExitCode = verdict.ExitFail
	case s.Health == Unknown && c.ExitCode == verdict.ExitPass:
		c.ExitCode = verdict.ExitInconclusive
	}
}

// CheckupTable writes a checkup for people: a line for each thing, with its remedy below it.
func CheckupTable(w io.Writer, c Checkup, width int, colour bool) error {
	if width < 40 {
		width = 80
	}
	c = redacted(c)
	out := &canvas{bufio.NewWriter(w), painter(colour), width}
	out.line("Hallmark doctor  %s\n", out.paint(foreign.Line(c.Image), bold))
	signs := map[Health]struct {
		sign   string
		colour paint
	}{Well: {"✓", green}, Care: {"!", yellow}, Ill: {"✗", red}, Unknown: {"?", yellow}}
	for _, s := range c.Lines {
		sign := signs[s.Health]
		out.indented(out.paint(sign.sign, sign.colour)+" "+pad(s.What, 12)+" ", 15, s.Detail)
		if s.Remedy != "" {
			out.indented(strings.Repeat(" ", 15)+out.paint("remedy", dim)+" ", 22, s.Remedy)
		}
	}
	word, paint := "PASS", green
	text := "a run has all that it needs"
	switch c.ExitCode {
	case verdict.ExitFail:
		word, paint, text = "FAIL", red, "a run would end at what is marked ✗"
	case verdict.ExitInconclusive:
		word, paint, text = "INCONCLUSIVE", yellow, "what is marked ? could not be found out"
	}
	out.line("\n%s  %s", out.paint(word, paint), text)
	return out.Flush()
}

// indented writes text behind a heading that takes so many columns, and goes on below it.
func (c *canvas) indented(heading string, columns int, text string) {
	for i, line := range Wrap(foreign.Line(text), max(c.width-columns, 20)) {
		if i > 0 {
			heading = strings.Repeat(" ", columns)
		}
		c.line("%s%s", heading, line)
	}
}

// CheckupJSON writes a checkup for machines.
func CheckupJSON(w io.Writer, c Checkup) error {
	c.Version = Version
	if c.Lines == nil {
		c.Lines = []Symptom{}
	}
	return writeJSON(w, redacted(c))
}
