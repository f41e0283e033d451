package report

import (
	"bufio"
	"cmp"
	"io"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Findings lists what a gate found, for a terminal: those that block in full, the others in a line each.
func Findings(w io.Writer, findings []verdict.Finding, width int, colour bool) error {
	if width < 40 {
		width = 80
	}
	c := &canvas{bufio.NewWriter(w), painter(colour), width}
	for _, f := range findings {
		if f.Blocking {
			c.finding(f)
		}
	}
	for _, f := range findings {
		if f.Blocking {
			continue
		}
		sign, name := "·", f.ID
		if w := f.Waiver; w != nil {
			sign, name = "–", f.ID+" (waived by "+w.Owner+" until "+w.Until+")"
		}
		severity := pad(string(f.Severity), 8)
		c.line("%s %s  %s", c.paint(sign, dim), c.paint(severity, severityPaint(f.Severity)), Fit(foreign.Line(name+": "+cmp.Or(f.Message, f.Title)), width-12))
	}
	return c.Flush()
}
