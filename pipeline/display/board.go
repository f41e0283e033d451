package display

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// What the terminal understands.
const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
)

// board is the live view: a line for each step, below a running one its tasks with the end of their output. What
// people should keep (warnings, the output of what failed) is written above it and scrolls away like any output.
type board struct {
	w      io.Writer
	title  string
	colour bool
	clear  bool
	size   func() (int, int)
	start  time.Time
	tree   *tree
	above  []string // lines to write above the live part with the next frame
	drawn  []string // the live part as it stands on the screen
	frame  int
}

// newBoard returns a board behind a line assembler.
func newBoard(w io.Writer, o Options, start time.Time) renderer {
	size := o.Size
	if size == nil {
		size = func() (int, int) { return 80, 24 }
	}
	b := &board{w: w, title: foreign.Line(o.Title), colour: o.Colour, clear: o.Clear, size: size, start: start, tree: newTree()}
	return newLines(b)
}

func (b *board) event(e progress.Event) {
	n := b.tree.apply(e)
	switch {
	case e.Kind == progress.Warned:
		width, _ := b.size()
		for i, line := range report.Wrap(foreign.Line(e.Step+": "+e.Text), max(width-3, 20)) {
			sign := "  "
			if i == 0 {
				sign = b.paint("! ", yellow)
			}
			b.above = append(b.above, sign+line)
		}
	case e.Kind == progress.Ended && e.Err != "" && n != nil && len(n.tail) > 0:
		b.above = append(b.above, b.paint("✗ ", red)+b.paint(n.name, bold)+b.paint(" ended so:", dim))
		for _, line := range n.tail {
			b.above = append(b.above, b.paint("  │ ", dim)+line)
		}
		n.tail = nil
	}
}

func (b *board) tick(now time.Time) {
	if len(b.tree.steps) == 0 && len(b.above) == 0 {
		return
	}
	b.frame++
	b.draw(now, true)
}

func (b *board) close(now time.Time) {
	if len(b.tree.steps) > 0 || len(b.above) > 0 {
		b.draw(now, false)
	}
	if b.drawn != nil {
		_, _ = io.WriteString(b.w, showCursor)
	}
}

// draw replaces the live part. One write makes one frame, so that nothing flickers.
func (b *board) draw(now time.Time, live bool) {
	width, height := b.size()
	if width < 20 {
		width = 80
	}
	if height < 5 {
		height = 24
	}
	var out bytes.Buffer
	if b.drawn == nil {
		out.WriteString(hideCursor)
	}
	if up := rows(b.drawn, width); up > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", up)
	}
	out.WriteByte('\r')
	for _, line := range b.above {
		out.WriteString(line + clearLine + "\n")
	}
	b.above = nil
	next := b.live(now, width-1, height-1, live)
	if !live && b.clear {
		next = nil
	}
	for _, line := range next {
		out.WriteString(line.painted + clearLine + "\n")
	}
	out.WriteString(clearBelow)
	_, _ = b.w.Write(out.Bytes())
	b.drawn = make([]string, 0, len(next))
	for _, line := range next {
		b.drawn = append(b.drawn, line.text)
	}
}

// rows is how many rows the lines take on a terminal of that width: more than there are lines when it became narrower
// since they were drawn.
func rows(drawn []string, width int) int {
	n := 0
	for _, line := range drawn {
		n += max(1, (runewidth.StringWidth(line)+width-1)/width)
	}
	return n
}

type paint string

const (
	bold   paint = "1"
	dim    paint = "2"
	red    paint = "31"
	green  paint = "32"
	yellow paint = "33"
	cyan   paint = "36"
)

func (b *board) paint(text string, p paint) string {
	if !b.colour || p == "" || strings.TrimSpace(text) == "" {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[0m"
}
