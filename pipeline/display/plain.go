package display

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

const (
	announceAfter = time.Second      // a task that ends sooner gets one line instead of two
	advanceEvery  = 10 * time.Second // between two lines about how far a task is
)

// plain writes one line for each thing that happens: time since the start, step, what happened. Tasks inside a step
// have a number, so that what belongs together can be found: grep '#7'.
type plain struct {
	w     io.Writer
	route func(step string) io.Writer // nil: everything goes to w
	start time.Time
	now   time.Time
	tasks map[uint64]*plainTask
	order []uint64 // tasks not announced yet
	last  int
}

type plainTask struct {
	event     progress.Event // the one that started it
	number    int
	announced bool
	advanced  time.Time
}

// noStep stands before lines that belong to no step.
const noStep = "run"

func newPlain(w io.Writer, start time.Time) *plain {
	return &plain{w: w, start: start, now: start, tasks: map[uint64]*plainTask{}}
}

func (p *plain) line(e progress.Event, format string, args ...any) {
	step := e.Step
	if step == "" {
		step = noStep
	}
	elapsed := max(e.Time.Sub(p.start), 0)
	if e.Time.IsZero() {
		elapsed = max(p.now.Sub(p.start), 0)
	}
	w := p.w
	if p.route != nil {
		w = p.route(step)
	}
	fmt.Fprintf(w, "%8s  %-8s %s\n", report.Elapsed(elapsed), foreign.Line(step), strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

func (p *plain) tick(now time.Time) {
	p.now = now
	waiting := p.order[:0]
	for _, id := range p.order {
		t := p.tasks[id]
		switch {
		case t == nil || t.announced:
		case now.Sub(t.event.Time) >= announceAfter:
			p.announce(t)
		default:
			waiting = append(waiting, id)
		}
	}
	p.order = waiting
}

func (p *plain) close(time.Time) {}

// announce tells that a task runs.
func (p *plain) announce(t *plainTask) {
	if t.announced {
		return
	}
	t.announced = true
	if t.event.Parent == 0 {
		p.line(t.event, "started")
		return
	}
	p.line(t.event, "%s%s", t.tag(), foreign.Line(t.event.Name))
}

// tag is the number in front of what a task inside a step says.
func (t *plainTask) tag() string {
	if t == nil || t.number == 0 {
		return ""
	}
	return fmt.Sprintf("#%d ", t.number)
}

func (p *plain) event(e progress.Event) {
	t := p.tasks[e.Task]
	switch e.Kind {
	case progress.Started:
		t = &plainTask{event: e, advanced: e.Time}
		p.tasks[e.Task] = t
		if e.Parent == 0 {
			p.announce(t)
			return
		}
		p.last++
		t.number = p.last
		p.order = append(p.order, e.Task)
	case progress.Advanced:
		if t != nil && e.Time.Sub(t.advanced) >= advanceEvery {
			t.advanced = e.Time
			p.announce(t)
			p.line(e, "%s%s", t.tag(), amount(e.Current, e.Total))
		}
	case progress.Logged:
		if t != nil {
			p.announce(t)
		}
		for _, line := range foreign.Lines(e.Text) {
			p.line(e, "%s| %s", t.tag(), line)
		}
	case progress.Noted, progress.Warned:
		if t != nil {
			p.announce(t)
		}
		word := ""
		if e.Kind == progress.Warned {
			word = "WARNING "
		}
		p.line(e, "%s%s%s", t.tag(), word, foreign.Line(e.Text))
	case progress.Skipped:
		p.line(e, "%sskipped: %s", p.end(t, e), foreign.Line(e.Text))
	case progress.Ended:
		result := "done in " + report.Elapsed(e.Elapsed)
		switch {
		case e.Err != "":
			result = "FAILED after " + report.Elapsed(e.Elapsed) + ": " + foreign.Line(e.Err)
		case e.Cached:
			result = "cached"
		}
		p.line(e, "%s%s", p.end(t, e), result)
	}
}

// end forgets the task and returns what stands before its result: its name too, where no line has told it.
func (p *plain) end(t *plainTask, e progress.Event) string {
	delete(p.tasks, e.Task)
	if t == nil || t.number == 0 {
		return ""
	}
	if t.announced {
		return t.tag()
	}
	t.announced = true
	return t.tag() + foreign.Line(t.event.Name) + ": "
}
