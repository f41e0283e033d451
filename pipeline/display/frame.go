package display

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// row is one line of the live part: as it is measured, and as it is painted.
type row struct{ text, painted string }

const (
	nameWidth = 8  // of a step
	barWidth  = 16 // of a progress bar
	tailLines = 6  // of output below a running task, at most
)

var spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// segment is a piece of a line in one colour.
type segment struct {
	text  string
	paint paint
}

// compose puts segments together, cut to width.
func (b *board) compose(width int, segments ...segment) row {
	var r row
	for _, s := range segments {
		room := width - runewidth.StringWidth(r.text)
		if room <= 0 {
			break
		}
		text := report.Fit(s.text, room)
		r.text += text
		r.painted += b.paint(text, s.paint)
	}
	r.text = strings.TrimRight(r.text, " ")
	return r
}

// live is the live part in at most so many rows: steps always, and below them as much of what runs as there is room.
// When it is over, only the steps stay.
func (b *board) live(now time.Time, width, height int, live bool) []row {
	all := []row{b.compose(width, segment{"Hallmark ", bold}, segment{b.title + "  ", ""}, segment{report.Elapsed(now.Sub(b.start)), dim})}
	steps := b.tree.steps
	if over := len(steps) + 1 - height; over > 0 {
		steps = steps[over:]
	}
	room := height - 1 - len(steps)
	share := 0
	if n := b.runningSteps(); n > 0 {
		share = max(room/n, 1)
	}
	for _, step := range steps {
		all = append(all, b.step(step, now, width, live))
		if !live || step.state != running || room <= 0 {
			continue
		}
		inner := b.tasks(step, now, width, min(share, room), 1)
		room -= len(inner)
		all = append(all, inner...)
	}
	return all
}

func (b *board) runningSteps() int {
	n := 0
	for _, step := range b.tree.steps {
		if step.state == running {
			n++
		}
	}
	return n
}

// step is the line of one step.
func (b *board) step(n *node, now time.Time, width int, live bool) row {
	sign, p := b.sign(n, live)
	elapsed := report.Elapsed(n.took(now))
	said, saidPaint := n.said, dim
	switch n.state {
	case running:
		if n.begun > 0 {
			said = fmt.Sprintf("%d/%d  %s", n.ended, n.begun, said)
		}
		if n.current > 0 || n.total > 0 {
			said = amount(n.current, n.total) + "  " + said
		}
		if !live {
			said = "interrupted"
		}
	case skipped:
		elapsed, said = "", "skipped: "+n.said
	case failed:
		saidPaint = red
	}
	name := runewidth.FillRight(report.Fit(n.name, 20), nameWidth)
	return b.compose(width, segment{sign + " ", p}, segment{name, bold}, segment{fmt.Sprintf(" %7s  ", elapsed), ""}, segment{said, saidPaint})
}

// took is how long the task has run, or ran.
func (n *node) took(now time.Time) time.Duration {
	if n.state == running {
		return now.Sub(n.started)
	}
	return n.elapsed
}

func (b *board) sign(n *node, live bool) (string, paint) {
	switch n.state {
	case done, cached:
		return "✓", green
	case skipped:
		return "–", dim
	case failed:
		return "✗", red
	default:
		if !live {
			return "·", dim
		}
		return spinner[b.frame%len(spinner)], cyan
	}
}

// tasks are the lines below a running step or task: what runs, with the end of its output, and above it what ended
// last, as far as there is room.
func (b *board) tasks(n *node, now time.Time, width, room, depth int) []row {
	if room <= 0 {
		return nil
	}
	var active, ended []*node
	for _, inner := range n.inner {
		if inner.state == running {
			active = append(active, inner)
		} else {
			ended = append(ended, inner)
		}
	}
	indent := strings.Repeat("  ", depth)
	hidden := 0
	if len(active) > room {
		hidden = len(active) - room + 1
		active = active[:len(active)-hidden]
	}
	spare := room - len(active) - min(hidden, 1)
	shown := min(len(ended), max(spare/2, 0), 4)
	var all []row
	for _, inner := range ended[len(ended)-shown:] {
		all = append(all, b.task(inner, now, width, indent))
	}
	spare -= shown
	for i, inner := range active {
		all = append(all, b.task(inner, now, width, indent))
		below := b.tasks(inner, now, width, spare, depth+1)
		if len(below) == 0 {
			below = b.tail(inner, width, min(tailLines, spare/(len(active)-i)), indent)
		}
		spare -= len(below)
		all = append(all, below...)
	}
	if hidden > 0 {
		all = append(all, b.compose(width, segment{fmt.Sprintf("%s  and %d more", indent, hidden), dim}))
	}
	if depth == 1 && len(active) == 0 {
		all = append(all, b.tail(n, width, min(tailLines, spare), "")...)
	}
	return all
}

// task is the line of one task: what it is at the left, how far and how long at the right.
func (b *board) task(n *node, now time.Time, width int, indent string) row {
	sign, p := b.sign(n, true)
	right := fmt.Sprintf("%7s", report.Elapsed(n.took(now)))
	switch {
	case n.state == cached:
		right = " cached"
	case n.state == skipped:
		right = "skipped"
	case n.state == running && (n.total > 0 || n.current > 0):
		right = progressBar(n.current, n.total) + " " + amount(n.current, n.total) + right
	}
	name := n.name
	if n.said != "" && n.state == running {
		name += "  " + n.said
	}
	room := max(10, min(width, 110)-runewidth.StringWidth(indent)-3-runewidth.StringWidth(right))
	style := paint("")
	if n.state != running {
		style = dim
	}
	return b.compose(width, segment{indent, ""}, segment{sign + " ", p}, segment{runewidth.FillRight(report.Fit(name, room), room), style}, segment{" " + right, dim})
}

// tail is the end of a task's output.
func (b *board) tail(n *node, width, room int, indent string) []row {
	if room <= 0 {
		return nil
	}
	var all []row
	for _, line := range n.tail[max(0, len(n.tail)-room):] {
		all = append(all, b.compose(width, segment{indent + "  │ " + line, dim}))
	}
	return all
}

// progressBar is how far a task is, "" where the end is not known.
func progressBar(current, total int64) string {
	if total <= 0 {
		return ""
	}
	filled := int(min(max(current, 0), total) * barWidth / total)
	return strings.Repeat("━", filled) + strings.Repeat("─", barWidth-filled)
}
