package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// boardFindings is how many blocking findings the board shows: enough to start working, the report has them all.
const boardFindings = 5

// canvas writes indented, wrapped lines.
type canvas struct {
	*bufio.Writer
	painter
	width int
}

// Board writes the table at the end of a run: steps with their times, what stopped it and what to do about it, where
// the image is, and the verdict last, where the eye rests. It fits width columns, 80 where width is too small to be
// meant; references and commands are never broken, so that they can be copied.
func Board(w io.Writer, r Report, width int, colour bool) error {
	if width < 40 {
		width = 80
	}
	r = redacted(r)
	c := &canvas{bufio.NewWriter(w), painter(colour), width}
	c.head(r)
	c.steps(r.Steps)
	c.trouble(r)
	c.whereabouts(r)
	for _, note := range r.allNotes() {
		c.field("note", note, yellow)
	}
	c.verdict(r)
	return c.Flush()
}

// allNotes are the notes, with the database's among them.
func (r Report) allNotes() []string {
	notes := r.Notes
	if note := r.Scan.Database.Note; note != "" {
		for _, said := range notes {
			if said == note {
				return notes
			}
		}
		notes = append(notes[:len(notes):len(notes)], note)
	}
	return notes
}

func (c *canvas) line(format string, args ...any) {
	c.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

func (c *canvas) head(r Report) {
	left := "Hallmark  " + foreign.Line(r.Image)
	right := "run " + foreign.Line(r.RunID) + "  " + Elapsed(r.Elapsed)
	if cells(left)+2+cells(right) > c.width {
		left = Fit(left, max(20, c.width-2-cells(right)))
	}
	gap := strings.Repeat(" ", max(2, c.width-cells(left)-cells(right)))
	c.line("%s%s%s\n", c.paint(left, bold), gap, c.paint(right, dim))
}

func (c *canvas) steps(steps []Step) {
	name := 7
	for _, s := range steps {
		name = max(name, min(cells(s.Name), 14))
	}
	for _, s := range steps {
		elapsed := Elapsed(s.Elapsed)
		if s.State == NotReached || s.State == Skipped && s.Elapsed < 50e6 {
			elapsed = ""
		}
		said := s.Detail
		switch s.State {
		case Skipped:
			said = "skipped: " + cmp.Or(s.Reason, s.Detail)
		case NotReached:
			said = cmp.Or(s.Reason, "not reached")
		case Failed:
			said = cmp.Or(s.reason(), s.Detail)
		}
		sign := s.Sign()
		head := fmt.Sprintf("%s %s %7s  ", c.paint(sign, signPaint(sign)), pad(Fit(foreign.Line(s.Name), name), name), elapsed)
		indent := 2 + name + 1 + 7 + 2
		for i, line := range Wrap(foreign.Line(shortened(said)), c.width-indent) {
			if i > 0 {
				head = strings.Repeat(" ", indent)
			}
			if s.State == Skipped || s.State == NotReached {
				line = c.paint(line, dim)
			}
			c.line("%s%s", head, line)
		}
	}
	c.line("")
}

var fullDigest = regexp.MustCompile(`sha256:([0-9a-f]{12})[0-9a-f]{52}`)

// shortened abbreviates the digests in a sentence: the full one stands below the steps.
func shortened(text string) string { return fullDigest.ReplaceAllString(text, "$1") }

// reason is why the step failed, without the remedy where an error carries both: that is shown below.
func (s Step) reason() string {
	if s.Remedy == "" {
		return s.Reason
	}
	return strings.TrimSuffix(strings.TrimSuffix(s.Reason, s.Remedy), ". ")
}

// trouble shows what stopped the run.
func (c *canvas) trouble(r Report) {
	blocking := 0
	for _, f := range r.Findings {
		if !f.Blocking {
			continue
		}
		if blocking++; blocking <= boardFindings {
			c.finding(f)
		}
	}
	if more := blocking - boardFindings; more > 0 {
		c.line("  and %s more that block; the report lists them\n", verdict.Plural(more, "finding"))
	}
	for _, s := range r.Steps {
		if s.State != Failed || s.Remedy == "" && s.Output == "" {
			continue
		}
		if s.Output != "" {
			for _, line := range foreign.Lines(tail(s.Output, 12, 4096)) {
				c.line("  %s %s", c.paint("│", dim), Fit(line, c.width-4))
			}
			c.line("")
		}
		if s.Remedy != "" {
			c.field("remedy", s.Remedy, cyan)
			c.line("")
		}
	}
}

func (c *canvas) finding(f verdict.Finding) {
	title := foreign.Line(f.ID)
	if f.Package != nil {
		title += " in " + foreign.Line(f.Package.Name+" "+f.Package.Installed)
	}
	c.line("%s %s  %s", c.paint("✗", red), c.paint(title, bold), c.paint(string(f.Severity), severityPaint(f.Severity)))
	for _, line := range Wrap(foreign.Line(cmp.Or(f.Message, f.Title)), c.width-2) {
		c.line("  %s", line)
	}
	if place := f.Place.String(); place != "" {
		c.field("where", place, "")
	}
	if w := f.Waiver; w != nil {
		c.field("waiver", "expired on "+w.Until+" ("+w.Owner+": "+w.Reason+")", yellow)
	}
	if f.Remedy != "" {
		c.field("remedy", f.Remedy, cyan)
	}
	c.line("")
}

// field writes a named value, wrapped beside its name.
func (c *canvas) field(name, value string, p paint) {
	head := "  " + pad(name, 8) + " "
	for i, line := range Wrap(foreign.Line(value), c.width-cells(head)) {
		if i > 0 {
			head = strings.Repeat(" ", cells(head))
		}
		if p != "" {
			line = c.paint(line, p)
		}
		c.line("%s%s", head, line)
	}
}

func (c *canvas) whereabouts(r Report) {
	if r.Subject.Digest != "" {
		c.field("digest", r.Subject.Digest, "")
	}
	if r.StagingTag != "" {
		c.field("staging", r.StagingTag, "")
	}
	for _, g := range r.Golden {
		c.field("golden", g.Ref+" "+g.sentence(), "")
	}
	if r.Engine.Name != "" {
		c.field("engine", strings.TrimSpace(r.Engine.Name+" "+r.Engine.Version)+": "+cmp.Or(r.Engine.Reason, "chosen"), "")
	}
	for _, l := range r.Launches {
		if len(l.Limits) > 0 {
			c.field("limits", l.limits(), "")
		}
		if len(l.Facts) > 0 {
			c.field("cluster", l.facts(), "")
		}
	}
	if d := r.Scan.Database; d.Digest != "" {
		c.field("database", subject.Short(d.Digest)+" of "+when(d.Updated)+", "+d.Source, "")
	}
}

// facts are what the target knows of its cluster, in one line.
func (l Launch) facts() string {
	all := make([]string, len(l.Facts))
	for i, fact := range l.Facts {
		all[i] = fact.Name + " " + fact.Value
	}
	return strings.Join(all, ", ")
}

// limits says of each limit of a launch whether it was enforced.
func (l Launch) limits() string {
	var all []string
	for _, limit := range l.Limits {
		state := "enforced"
		if !limit.Enforced {
			state = "not enforced"
			if limit.Note != "" {
				state += " (" + limit.Note + ")"
			}
		}
		all = append(all, limit.Name+" "+cmp.Or(limit.Asked, "unlimited")+" "+state)
	}
	return strings.Join(all, ", ")
}

// sentence says what happened to the tag, after its name.
func (g Golden) sentence() string {
	switch {
	case g.Move == Moved && g.From == "":
		return "(new)"
	case g.Move == Moved:
		return "(was " + subject.Short(g.From) + ")"
	case g.Move == Already:
		return "(was there already)"
	case g.Move == Conflict:
		return "(moved meanwhile by someone else to " + subject.Short(g.To) + ")"
	case g.To != "":
		return "(untouched, " + subject.Short(g.To) + ")"
	default:
		return "(untouched)"
	}
}

func (c *canvas) verdict(r Report) {
	word := loud(r.Verdict, r.ExitCode)
	c.line("")
	head, indent := c.paint(word, bold, verdictPaints[shown(r.Verdict, r.ExitCode)])+"  ", cells(word)+2
	for i, line := range Wrap(foreign.Line(r.Headline), c.width-indent) {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		c.line("%s%s", head, line)
	}
	if r.Next != "" {
		c.field("next", r.Next, "")
	}
	if r.Path != "" {
		c.field("report", r.Path, "")
	}
	if r.VerifyCommand != "" {
		// A command stays on one line whatever its length: it is there to be copied.
		c.line("  %s %s", pad("verify", 8), c.paint(foreign.Line(r.VerifyCommand), bold))
	}
}
