package report

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// everywhere puts text wherever a report holds foreign text.
func everywhere(text string) Report {
	r := failed()
	p := passed()
	r.Image, r.RunID, r.Headline, r.Next, r.StagingTag, r.VerifyCommand, r.Path = text, text, text, text, text, text, text
	r.Notes, r.Platforms = []string{text}, []string{text}
	r.Engine = Engine{text, text, text}
	for i := range r.Steps {
		r.Steps[i].Name, r.Steps[i].Reason, r.Steps[i].Detail, r.Steps[i].Remedy, r.Steps[i].Output = text, text, text, text, text
		r.Timings = append(r.Timings, Timing{Step: text, Name: text, Error: text, Started: start, Elapsed: 1e9})
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		f.ID, f.Gate, f.Title, f.Message, f.Remedy, f.Source = text, text, text, text, text, text
		f.Place = verdict.Place{File: text, CreatedBy: text, Dockerfile: text, Layer: text}
		f.Waiver = &verdict.Waiver{Rule: text, Reason: text, Owner: text, Until: text}
	}
	r.Packs, r.Waivers = []Pack{{Name: text, Digest: text}}, []verdict.Waiver{{Rule: text, Reason: text, Owner: text, Until: text}}
	r.Scan.Database.Source, r.Scan.Database.Note = text, text
	r.Layers[0].CreatedBy, r.Layers[0].Digest = text, text
	r.Launches, r.Evidence = p.Launches, p.Evidence
	l := &r.Launches[0]
	l.Target, l.Profile, l.Reason, l.Remedy, l.LogPath, l.LogTail, l.Runtime = text, text, text, text, text, text, text
	l.Limits[0] = Limit{Name: text, Asked: text, Note: text}
	l.Probes[0] = Probe{Name: text, Verdict: verdict.Fail, Reason: text, Remedy: text, Output: text}
	l.Events[0].Text = text
	r.Evidence[0] = Evidence{Kind: text, PredicateType: text, Signer: text, Ref: text, Summary: text}
	r.Golden = []Golden{{Ref: text, Move: Conflict, From: text, To: text}}
	return r
}

var (
	renderers = map[string]func(io.Writer, Report) error{
		"board": func(w io.Writer, r Report) error { return Board(w, r, 80, false) }, "markdown": Markdown, "html": HTML, "json": JSON,
	}
	commands = regexp.MustCompile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069]")
	tags     = regexp.MustCompile(`<[A-Za-z/!?][^>]*>`)
	quoted   = regexp.MustCompile(`"[^"]*"`)
	ours     = regexp.MustCompile(`^</?(a|article|b|body|br|code|dd|details|div|dl|dt|em|h1|h2|h3|header|html|i|input|label|li|main|nav|ol|p|pre|section|span|summary|table|tbody|td|th|thead|time|tr)( (href|rel|class|id|style|title|type|aria-hidden)=""| checked| open)*>$`)
	target   = regexp.MustCompile(`href="([^"]*)"`)
)

// foreignTag is a tag in the page's body that is not one of the template's, or "".
func foreignTag(body string) string {
	body = body[strings.Index(body, "<body>"):]
	for _, tag := range tags.FindAllString(body, -1) {
		if bare := quoted.ReplaceAllString(tag, `""`); !ours.MatchString(bare) {
			return tag
		}
	}
	return ""
}

// TestHostileText checks that text from an image neither steers a terminal, nor becomes markup, nor asks the network
// for anything, wherever it stands.
func TestHostileText(t *testing.T) {
	t.Parallel()
	texts := []string{
		hostile, `"><img src=x onerror=alert(1)>`, "' onmouseover='alert(1)", "</style><script>alert(1)</script>", "javascript:alert(1)",
		"]]></pre></details><script>", "{{.}}", "url(http://evil.example/x)", "a\x00b\x1b[31mc\u009b2Jd\u202ee\r\n\tf", "\xff\xfe", "|\n| --- |\n# h", "```\n# out of the fence",
	}
	for _, text := range texts {
		for name, render := range renderers {
			var out bytes.Buffer
			if err := render(&out, everywhere(text)); err != nil {
				t.Fatalf("%s of %q: %v", name, text, err)
			}
			body := out.String()
			if found := commands.FindString(body); found != "" && name != "json" {
				t.Errorf("%s of %q holds %q", name, text, found)
			}
			if name != "html" {
				continue
			}
			if found := foreignTag(body); found != "" {
				t.Errorf("%s of %q holds %q", name, text, found)
			}
			for _, link := range target.FindAllStringSubmatch(body, -1) {
				if !strings.HasPrefix(link[1], "#") && !strings.HasPrefix(link[1], "https://") {
					t.Errorf("%s of %q links to %q", name, text, link[1])
				}
			}
		}
	}
}

// TestSecretsAreHidden puts a masked secret everywhere.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	const value = "correct-horse-battery-staple"
	secret.Mask(value)
	for name, render := range renderers {
		var out bytes.Buffer
		if err := render(&out, everywhere("token="+value+"&x")); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), value) {
			t.Errorf("%s holds the secret", name)
		}
	}
}

// TestBounds renders a run with far too much of everything.
func TestBounds(t *testing.T) {
	t.Parallel()
	r := failed()
	for i := range 20_000 {
		r.Findings = append(r.Findings, verdict.Finding{ID: fmt.Sprintf("CVE-2026-%05d", i), Severity: verdict.Low, Message: strings.Repeat("long ", 200)})
		r.Timings = append(r.Timings, Timing{Step: "build", Name: fmt.Sprint(i), Started: start, Elapsed: 1e6})
	}
	for range 300 {
		r.Layers = append(r.Layers, r.Layers[0])
	}
	r.Steps[0].Output = strings.Repeat("line of output\n", 1<<16)
	for name, most := range map[string]int{"board": 16 << 10, "markdown": markdownMost + 100, "html": 8 << 20} {
		var out bytes.Buffer
		if err := renderers[name](&out, r); err != nil {
			t.Fatal(err)
		}
		if out.Len() > most {
			t.Errorf("%s takes %d bytes", name, out.Len())
		}
	}
}

// FuzzText renders any text everywhere.
func FuzzText(f *testing.F) {
	f.Add(hostile)
	f.Add("`|\\`@x\n\n# y")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		for name, render := range renderers {
			var out bytes.Buffer
			if err := render(&out, everywhere(text)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if found := commands.FindString(out.String()); found != "" && name != "json" {
				t.Errorf("%s holds %q", name, found)
			}
			if name == "html" {
				if found := foreignTag(out.String()); found != "" {
					t.Errorf("html holds %q", found)
				}
			}
		}
	})
}

func TestWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[int64]string{0: "0.0s", 41_230_000_000: "41.2s", 99_960_000_000: "1m40s", 102_400_000_000: "1m42s", 3_599_900_000_000: "60m00s", 3_720_000_000_000: "1h02m", -5: "0.0s"} {
		if got := Elapsed(time.Duration(d)); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 4100: "4.1 kB", 99_600: "100 kB", 999_600: "1.0 MB", 212_000_000: "212 MB", 1_020_000_000: "1.02 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
