package display

import (
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// maxLine bounds one line of output, in bytes: what goes beyond is shown as a line of its own.
const maxLine = 16 << 10

// lines gives what is behind it whole lines of output. Rooms write as it comes, in pieces that may end anywhere, also
// inside a secret that must be hidden.
type lines struct {
	renderer
	partial map[uint64]*partial
}

type partial struct {
	text  strings.Builder
	event progress.Event
}

func newLines(behind renderer) *lines { return &lines{behind, map[uint64]*partial{}} }

func (l *lines) event(e progress.Event) {
	switch e.Kind {
	case progress.Logged:
		p := l.partial[e.Task]
		if p == nil {
			p = &partial{}
			l.partial[e.Task] = p
		}
		p.event = e
		p.text.WriteString(e.Text)
		whole, rest := cutLines(p.text.String())
		p.text.Reset()
		p.text.WriteString(rest)
		if whole != "" {
			e.Text = whole
			l.renderer.event(e)
		}
		return
	case progress.Ended, progress.Skipped:
		l.flush(e.Task)
	}
	l.renderer.event(e)
}

func (l *lines) flush(task uint64) {
	if p := l.partial[task]; p != nil && p.text.Len() > 0 {
		p.event.Text = p.text.String()
		l.renderer.event(p.event)
	}
	delete(l.partial, task)
}

func (l *lines) close(now time.Time) {
	for task := range l.partial {
		l.flush(task)
	}
	l.renderer.close(now)
}

// cutLines is what of text are whole lines, without the last line's end, and what is left.
func cutLines(text string) (whole, rest string) {
	end := strings.LastIndexByte(text, '\n')
	if end < 0 {
		if len(text) > maxLine {
			return text, ""
		}
		return "", text
	}
	whole, rest = text[:end], text[end+1:]
	if whole == "" {
		whole = " " // one empty line is a line too
	}
	if len(rest) > maxLine {
		return whole + "\n" + rest, ""
	}
	return whole, rest
}

func bytesDropped(n int) string {
	return fmt.Sprintf("%s of output came faster than it could be shown and are left out here", report.Bytes(int64(n)))
}

// amount is how far a task is: bytes where the numbers are those of bytes.
func amount(current, total int64) string {
	show := report.Bytes
	if max(current, total) < 10_000 {
		show = func(n int64) string { return fmt.Sprint(n) }
	}
	if total > 0 {
		return show(current) + " of " + show(total)
	}
	return show(current)
}
