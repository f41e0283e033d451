package report

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// mermaidTask is a line of a Gantt chart that is a task and nothing else.
var mermaidTask = regexp.MustCompile(`^    (step )?[A-Za-z0-9 ./-]+ :(done|crit), [0-9]+, [0-9]+$`)

// TestTimelineHoldsNames: no name of a step becomes a line of its own, a directive or a link.
func TestTimelineHoldsNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		hostile, "", "section a", "Title b", "click c href d", "a: b, c", "x\ny :done, 1, 2", "%% comment", "```\n# out", "end", "todayMarker off", "é日本", strings.Repeat("long", 500), "#59; &lt;", "excludes weekends", "call f()", "href x",
	} {
		r := passed()
		r.Elapsed = 2 * time.Hour
		r.Steps = []Step{{Name: name, State: Done, Started: start, Elapsed: time.Second}, {Name: name, State: Failed, Started: start, Elapsed: time.Second}}
		text := mermaid(r)
		body, found := strings.CutPrefix(text, "\n### Timeline\n\n```mermaid\ngantt\n    dateFormat x\n    axisFormat %H:%M:%S\n")
		lines := strings.Split(strings.TrimSuffix(body, "```\n"), "\n")
		if !found || len(lines) != 3 {
			t.Errorf("%.40q: %q", name, text)
			continue
		}
		for _, line := range lines[:2] {
			task := strings.TrimPrefix(line, "    ")
			if !mermaidTask.MatchString(line) || mermaidWords.MatchString(task) || len(line) > 120 {
				t.Errorf("%.40q: the line %q", name, line)
			}
		}
	}
}
