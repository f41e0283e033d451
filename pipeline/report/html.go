package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Bounds of the HTML page. Above them it says how many it left out; the JSON has them all.
const (
	htmlFindings = 2000
	htmlTimings  = 500
	htmlTail     = 64 << 10 // bytes of each log
)

//go:embed report.html.tmpl
var pageText string

//go:embed report.css
var pageStyle string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"elapsed": Elapsed,
	"bytes":   Bytes,
	"short":   func(digest string) string { return foreign.Line(subject.Short(digest)) },
	"when":    when,
	"age":     age,
	"clean":   foreign.Line,
	"signer":  signer,
	"plural":  verdict.Plural,
	"web":     func(source string) bool { return strings.HasPrefix(source, "https://") },
	"style":   func() template.CSS { return template.CSS(pageStyle) }, //nolint:gosec // our own file
	"log": func(text string) string {
		return strings.Join(foreign.Lines(tail(text, 1<<20, htmlTail)), "\n")
	},
}).Parse(pageText))

// HTML writes the whole report as one page that needs nothing else: no script, no font, no request. Foreign text is
// escaped, and the page's own policy forbids whatever an image might smuggle in.
func HTML(w io.Writer, r Report) error {
	if err := page.Execute(w, newPage(redacted(r))); err != nil {
		return fmt.Errorf("writing the report as HTML: %w", err)
	}
	return nil
}

// pageData is the report as the template wants it: lengths as percentages, counts made.
type pageData struct {
	Report
	Word, Class string // the verdict
	Notes       []string
	Bars        []bar
	Ticks       []tick
	Counts      []count
	Sorted      []verdict.Finding
	LeftOut     int // findings
	Blocking    int
	Fresh       map[string]bool // findings, by Key, that golden does not have
	Slabs       []slab
	Compressed  int64
}

// New says whether golden does not have the finding.
func (p pageData) New(f verdict.Finding) bool { return p.Fresh[Key(f)] }

// More says whether there is something to unfold below the step.
func (b bar) More() bool { return len(b.Tasks) > 0 || b.Remedy != "" || b.Output != "" }

// bar is a step on the timeline, with the tasks inside it.
type bar struct {
	Step
	Class       string
	Left, Width float64 // percent of the run
	Said        string
	Tasks       []taskBar
}

type taskBar struct {
	Timing
	Left, Width float64
}

type tick struct {
	Left  float64
	Label string
}

type count struct {
	Severity verdict.Severity
	N        int
}

type slab struct {
	Layer
	Percent float64 // of the largest layer
}

func newPage(r Report) pageData {
	p := pageData{Report: r, Word: loud(r.Verdict, r.ExitCode), Class: string(shown(r.Verdict, r.ExitCode)), Notes: r.allNotes(), Fresh: r.news()}
	p.timeline()
	p.Sorted = append([]verdict.Finding(nil), r.Findings...)
	verdict.Sort(p.Sorted)
	for i := len(verdict.Severities) - 1; i >= 0; i-- {
		n := 0
		for _, f := range p.Sorted {
			if cmp.Or(f.Severity, verdict.Unknown) == verdict.Severities[i] {
				n++
			}
		}
		if n > 0 {
			p.Counts = append(p.Counts, count{verdict.Severities[i], n})
		}
	}
	for _, f := range p.Sorted {
		if f.Blocking {
			p.Blocking++
		}
	}
	if extra := len(p.Sorted) - htmlFindings; extra > 0 {
		p.Sorted, p.LeftOut = p.Sorted[:htmlFindings], extra
	}
	var largest int64 = 1
	for _, l := range r.Layers {
		largest, p.Compressed = max(largest, l.Size), p.Compressed+l.Size
	}
	for _, l := range r.Layers {
		p.Slabs = append(p.Slabs, slab{l, percent(float64(l.Size), float64(largest))})
	}
	return p
}

func percent(part, whole float64) float64 {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return float64(int(min(part/whole, 1)*10000)) / 100
}

// timeline places steps and tasks between the start and the end of the run.
func (p *pageData) timeline() {
	whole := p.Elapsed
	for _, s := range p.Steps {
		if !s.Started.IsZero() {
			whole = max(whole, s.Started.Sub(p.Started)+s.Elapsed)
		}
	}
	place := func(started time.Time, elapsed time.Duration) (float64, float64) {
		if started.IsZero() {
			return 0, 0
		}
		return percent(float64(started.Sub(p.Started)), float64(whole)), max(percent(float64(elapsed), float64(whole)), 0.3)
	}
	timings := p.Timings[:min(len(p.Timings), htmlTimings)]
	for _, s := range p.Steps {
		b := bar{Step: s, Class: "pass", Said: s.Detail}
		switch s.State {
		case Skipped:
			b.Class, b.Said = "skipped", "skipped: "+cmp.Or(s.Reason, s.Detail)
		case NotReached:
			b.Class, b.Said = "unreached", cmp.Or(s.Reason, "not reached")
		case Failed:
			b.Class, b.Said = string(shown(s.Verdict, verdict.ExitFail)), cmp.Or(s.reason(), s.Detail)
		}
		b.Left, b.Width = place(s.Started, s.Elapsed)
		for _, t := range timings {
			if t.Step == s.Name {
				task := taskBar{Timing: t}
				task.Left, task.Width = place(t.Started, t.Elapsed)
				b.Tasks = append(b.Tasks, task)
			}
		}
		p.Bars = append(p.Bars, b)
	}
	if whole <= 0 {
		return
	}
	every := tickEvery(whole)
	for at := time.Duration(0); at < whole*94/100; at += every { // a label needs some room on its right
		p.Ticks = append(p.Ticks, tick{percent(float64(at), float64(whole)), Elapsed(at)})
	}
}

// tickEvery is a round span that divides the run into four to ten parts.
func tickEvery(whole time.Duration) time.Duration {
	for _, every := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
		10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	} {
		if whole/every <= 6 {
			return every
		}
	}
	return max(whole/6, time.Hour).Round(time.Hour)
}
