package display

import (
	"bytes"
	"io"
	"slices"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// Sections are parts of a log that people can fold, in the way of some CI system. One is open at a time.
type Sections interface {
	Open(name, title string)
	Close()
}

// sections shows plain lines, those of each step in a section of its own. Steps run at the same time and sections cannot:
// what a step says while another one's section is open waits until that is closed.
type sections struct {
	*plain
	w       io.Writer
	in      Sections
	open    string
	order   []string // steps with lines that wait, or that run, the oldest first
	waiting map[string]*bytes.Buffer
	ended   map[string]bool
}

func newSections(w io.Writer, in Sections, start time.Time) *sections {
	s := &sections{plain: newPlain(nil, start), w: w, in: in, waiting: map[string]*bytes.Buffer{}, ended: map[string]bool{}}
	s.plain.route = s.of
	return s
}

// of is where a line of step goes.
func (s *sections) of(step string) io.Writer {
	switch {
	case step == s.open, step == noStep:
		return s.w
	case s.open == "":
		s.begin(step)
		return s.w
	}
	buffer := s.waiting[step]
	if buffer == nil {
		buffer = &bytes.Buffer{}
		s.waiting[step] = buffer
		s.order = append(s.order, step)
	}
	return buffer
}

func (s *sections) begin(step string) {
	s.in.Open(step, step)
	s.open = step
}

func (s *sections) event(e progress.Event) {
	s.plain.event(e)
	if e.Parent == 0 && (e.Kind == progress.Ended || e.Kind == progress.Skipped) {
		s.ended[e.Step] = true
	}
	for s.open != "" && s.ended[s.open] {
		s.end()
	}
}

// end closes the open section, and opens the one whose lines have waited longest: of a step that has ended if there is
// one, so that what is through is read before what goes on.
func (s *sections) end() {
	s.in.Close()
	delete(s.ended, s.open)
	s.open = ""
	if len(s.order) == 0 {
		return
	}
	next := max(slices.IndexFunc(s.order, func(step string) bool { return s.ended[step] }), 0)
	step := s.order[next]
	s.order = slices.Delete(s.order, next, next+1)
	s.begin(step)
	_, _ = s.w.Write(s.waiting[step].Bytes())
	delete(s.waiting, step)
}

func (s *sections) close(now time.Time) {
	s.plain.close(now)
	for s.open != "" {
		s.end()
	}
}
