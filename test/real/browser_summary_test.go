//go:build real

package real

import (
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/russross/blackfriday/v2"
)

// summaryStyle is what GitHub's own style sheet does to Markdown where that decides about widths: words break, tables and
// blocks of code scroll within themselves.
const summaryStyle = `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>
body { margin: 0; padding: 16px; box-sizing: border-box; font: 16px/1.5 sans-serif; color: #1f2328; background: #fff; overflow-wrap: break-word }
table { display: block; width: max-content; max-width: 100%; overflow: auto; border-collapse: collapse }
td, th { padding: 6px 13px; border: 1px solid #d1d9e0 }
pre { overflow: auto; font-size: 85% }
code { overflow-wrap: break-word; font-size: 85% }
</style>
`

// TestSummaryInABrowser opens the job summaries of the samples, as a phone and a desk show them: nothing reaches out of the page
// but what scrolls by itself, and the verdict is the first thing that one sees. The timeline, which GitHub draws from its
// text, stands there as text.
func TestSummaryInABrowser(t *testing.T) {
	summaries, err := filepath.Glob(filepath.Join(top, "pipeline/report/testdata/*.summary.md"))
	if err != nil || len(summaries) < 4 {
		t.Fatalf("the sample summaries: %v, %v", summaries, err)
	}
	dir := t.TempDir()
	var frames []frame
	for _, file := range summaries {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body := string(blackfriday.Run(text, blackfriday.WithExtensions(blackfriday.CommonExtensions|blackfriday.NoEmptyLineBeforeBlock)))
		if !strings.HasPrefix(body, "<h2>") {
			t.Fatalf("%s begins with %.80q: not with the verdict", filepath.Base(file), body)
		}
		if strings.Contains(string(text), "| --- |") != strings.Contains(body, "<table>") {
			t.Errorf("%s: what is meant to be a table is none", filepath.Base(file))
		}
		// As the reports mark it, so that the same look finds it.
		body = strings.Replace(strings.Replace(body, "<h2>", `<h1><span class="verdict">`, 1), "</h2>", "</span></h1>", 1)
		page := filepath.Join(dir, filepath.Base(file)+".html")
		if err := os.WriteFile(page, []byte(summaryStyle+body), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, f := range []frame{{"", 390, 844, "light"}, {"", 320, 568, "light"}, {"", 1280, 900, "light"}} {
			f.Page = template.URL("file://" + page)
			frames = append(frames, f)
		}
	}
	all, complaints := look(t, frames)
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
	for i, f := range frames {
		at, found := fmt.Sprintf("%s, %d wide", filepath.Base(string(f.Page)), f.Width), all[i]
		if found.Wide > float64(f.Width) || len(found.Outside) > 0 {
			t.Errorf("%s: the page is %.0f wide; outside: %.5q", at, found.Wide, found.Outside)
		}
		if found.Verdict < 0 || found.Verdict > float64(f.Height)/2 {
			t.Errorf("%s: the verdict ends at %.0f of %d", at, found.Verdict, f.Height)
		}
	}
}
