package ci

import (
	"fmt"
	"io"
	"regexp"
	"time"
)

// gitLab speaks to GitLab's job log, which folds sections: https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections.
// Annotations, outputs and summaries are files there, which the job names as its reports.
type gitLab struct {
	plain
	open string
	now  func() time.Time
}

func newGitLab(guard *Guard) *gitLab { return &gitLab{plain: plain{guard: guard}, now: time.Now} }

func (g *gitLab) Log() io.Writer { return g.guard }

// sectionName is what GitLab takes for the name of a section.
var sectionName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

func (g *gitLab) Open(name, title string) {
	g.Close()
	g.open = "hallmark_" + sectionName.ReplaceAllString(name, "_")
	g.guard.command(fmt.Sprintf("\x1b[0Ksection_start:%d:%s\r\x1b[0K%s\n", g.now().Unix(), g.open, oneLine(title, 200)))
}

func (g *gitLab) Close() {
	if g.open != "" {
		g.guard.command(fmt.Sprintf("\x1b[0Ksection_end:%d:%s\r\x1b[0K\n", g.now().Unix(), g.open))
	}
	g.open = ""
}

func (g *gitLab) Finish(bool, string) { g.Close() }
