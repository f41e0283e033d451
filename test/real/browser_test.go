//go:build real

package real

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser is a Chromium of whatever name: scripts/prerequisites installs Debian's.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium is on PATH: scripts/prerequisites test installs one")
	return ""
}

// frame is a page on one screen.
type frame struct {
	Page          template.URL
	Width, Height int
	Scheme        string // light or dark
}

// looked is what the browser saw of it.
type looked struct {
	Wide, Verdict  float64 // the page's width, and where the verdict ends
	Outside, Faint []string
	Dark           bool
}

// window shows pages in frames as wide as screens, and writes down what they look like there. The pages themselves may run
// no script.
var window = template.Must(template.New("").Parse(`<!doctype html><meta charset="utf-8">
<style>body { margin: 0 } iframe { border: 0; display: block }</style>
{{range .}}<iframe src="{{.Page}}" style="width: {{.Width}}px; height: {{.Height}}px; color-scheme: {{.Scheme}}"></iframe>
{{end}}<pre id="found"></pre>
<script>
// What colour stands on which, as shares of red, green and blue.
function colour(text) {
  const n = text.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
  const alpha = n.length > 3 ? n[3] : 1;
  return { rgb: n.slice(0, 3).map(x => text.startsWith('color(') ? x : x / 255), alpha };
}
function over(top, below) { return top.rgb.map((x, i) => x * top.alpha + below[i] * (1 - top.alpha)); }
function light(rgb) {
  const [r, g, b] = rgb.map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function look(frame) {
  const page = frame.contentDocument, view = page.defaultView;
  const behind = e => e ? over(colour(view.getComputedStyle(e).backgroundColor), behind(e.parentElement)) : [1, 1, 1];
  const found = { wide: page.documentElement.scrollWidth, outside: [], faint: [], verdict: -1, dark: light(behind(page.body)) < 0.2 };
  const scrolls = e => e && (/auto|scroll|hidden/.test(view.getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  for (const e of page.querySelectorAll('body *')) {
    const box = e.getBoundingClientRect();
    if (box.width && box.right > view.innerWidth + 1 && !scrolls(e)) found.outside.push(e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40));
    if (!box.width || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const on = behind(e), ink = over(colour(view.getComputedStyle(e).color), on);
    const [a, b] = [light(ink), light(on)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) found.faint.push(contrast.toFixed(2) + ' ' + e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 40));
  }
  const verdict = page.querySelector('h1 .verdict');
  if (verdict) found.verdict = verdict.getBoundingClientRect().bottom;
  return found;
}
onload = () => { document.getElementById('found').textContent = JSON.stringify([...document.querySelectorAll('iframe')].map(look)) };
</script>`))

var foundIn = regexp.MustCompile(`<pre id="found">(.*?)</pre>`)

// look opens all frames in one browser, and returns what was seen of each, and what the browser complained of.
func look(t *testing.T, frames []frame) (all []looked, complaints []string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "window.html")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(window.Execute(out, frames), out.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--allow-file-access-from-files", "--enable-logging=stderr", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom", "file://"+file)
	var said strings.Builder
	cmd.Stderr = &said
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	text := foundIn.FindSubmatch(dom)
	if text == nil {
		t.Fatalf("the browser found nothing out:\n%s", said.String())
	}
	if err := json.Unmarshal([]byte(unescape.Replace(string(text[1]))), &all); err != nil || len(all) != len(frames) {
		t.Fatalf("%v: %d of %d frames: %s", err, len(all), len(frames), text[1])
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "CONSOLE") {
			complaints = append(complaints, strings.TrimSpace(line))
		}
	}
	return all, complaints
}

// TestReportInABrowser opens the reports of the samples as wide as phones and a desk: nothing reaches out of the page, the
// verdict stands on the first screen, text can be read, and the browser has nothing to complain of.
func TestReportInABrowser(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(top, "pipeline/report/testdata/*.html"))
	if err != nil || len(pages) < 4 {
		t.Fatalf("the sample reports: %v, %v", pages, err)
	}
	var frames []frame
	for _, page := range pages {
		for _, f := range []frame{{"", 390, 844, "light"}, {"", 390, 844, "dark"}, {"", 320, 568, "light"}, {"", 1280, 900, "light"}, {"", 1280, 900, "dark"}} {
			f.Page = template.URL("file://" + page)
			frames = append(frames, f)
		}
	}
	all, complaints := look(t, frames)
	if len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
	for i, f := range frames {
		at, found := fmt.Sprintf("%s, %d wide, %s", filepath.Base(string(f.Page)), f.Width, f.Scheme), all[i]
		if found.Wide > float64(f.Width) || len(found.Outside) > 0 {
			t.Errorf("%s: the page is %.0f wide; outside: %.5q", at, found.Wide, found.Outside)
		}
		if len(found.Faint) > 0 {
			t.Errorf("%s: too faint to read (a contrast of less than 4.5): %q", at, found.Faint[:min(len(found.Faint), 8)])
		}
		if found.Verdict < 0 || found.Verdict > float64(f.Height)/2 {
			t.Errorf("%s: the verdict ends at %.0f of %d", at, found.Verdict, f.Height)
		}
		if found.Dark != (f.Scheme == "dark") {
			t.Errorf("%s: the page is dark: %t", at, found.Dark)
		}
	}
}

// TestBrowserSeesMistakes: what the test above looks for is found on a page that has it.
func TestBrowserSeesMistakes(t *testing.T) {
	page := filepath.Join(t.TempDir(), "bad.html")
	body := `<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><body>
<div style="width: 900px">wide</div><p style="color: #aaa">faint</p><p style="color: #444">plain</p><img src="https://example.com/x.png">
<div style="overflow-x: auto"><div style="width: 900px">scrolls</div></div>`
	if err := os.WriteFile(page, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
	all, complaints := look(t, []frame{{template.URL("file://" + page), 390, 844, "light"}})
	if found := all[0]; found.Wide != 908 || len(found.Outside) != 1 || len(found.Faint) != 1 || !strings.HasSuffix(found.Faint[0], "faint") || found.Verdict != -1 {
		t.Errorf("%+v", found)
	}
	if len(complaints) != 1 || !strings.Contains(complaints[0], "Content Security Policy") {
		t.Errorf("complaints %q", complaints)
	}
}

var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "&quot;", `"`)
