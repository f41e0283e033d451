package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// mermaidMost bounds the timeline: GitHub refuses to draw a diagram of more than 50,000 characters.
const mermaidMost = 40

// Summary is Markdown with a timeline of the steps, for systems that draw Mermaid diagrams.
func Summary(w io.Writer, r Report) error {
	if err := Markdown(w, r); err != nil {
		return err
	}
	_, err := io.WriteString(w, mermaid(redacted(r)))
	return err
}

// mermaid is the run as a Gantt chart: its steps, and the tasks in them that took longest.
func mermaid(r Report) string {
	var b strings.Builder
	rows := 0
	for _, s := range r.Steps {
		if s.Started.IsZero() || s.Elapsed <= 0 || rows >= mermaidMost {
			continue
		}
		rows++
		state := "done, "
		if s.State == Failed {
			state = "crit, "
		}
		// A bar of no width is not drawn.
		from, to := since(r.Started, s.Started), since(r.Started, s.Started.Add(s.Elapsed))
		fmt.Fprintf(&b, "    %s %s :%s%d, %d\n", mermaidName(s.Name), mermaidText(Elapsed(s.Elapsed)), state, from, max(to, from+1))
	}
	if rows == 0 {
		return ""
	}
	axis := "%M:%S"
	if r.Elapsed >= time.Hour {
		axis = "%H:%M:%S"
	}
	return "\n### Timeline\n\n```mermaid\ngantt\n    dateFormat x\n    axisFormat " + axis + "\n" + b.String() + "```\n"
}

func since(start, at time.Time) int64 { return max(at.Sub(start), 0).Milliseconds() }

// mermaidWords begin lines of a Gantt chart that are no tasks.
var mermaidWords = regexp.MustCompile(`(?i)^(title|section|click|dateformat|axisformat|tickinterval|excludes|includes|todaymarker|weekday|weekend|inclusiveenddates|topaxis|acctitle|accdescr|gantt|end|call|href)`)

// mermaidName is a task's name that no line of the diagram can be taken for.
func mermaidName(name string) string {
	name = mermaidText(name)
	name = strings.TrimSpace(name[:min(len(name), 60)])
	if name == "" || mermaidWords.MatchString(name) {
		return strings.TrimSpace("step " + name)
	}
	return name
}

// mermaidText is what of a text can stand in a diagram without meaning anything to it.
func mermaidText(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == ' ', r == '.', r == '-', r == '/':
			return r
		}
		return -1
	}, text)
}
