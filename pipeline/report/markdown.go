package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Bounds of the Markdown summary: CI systems refuse a large one, and nobody reads it.
const (
	markdownFindings = 40
	markdownTail     = 20 // lines of each log
	markdownMost     = 128 << 10
)

// Markdown writes the summary for the page of a CI job or a comment: the verdict first, then what to do, then tables.
// It stays below 128 KiB and says where it left something out. Foreign text cannot format, link or mention.
func Markdown(w io.Writer, r Report) error {
	r = redacted(r)
	var m markdown
	m.verdict(r)
	m.steps(r.Steps)
	m.findings(r)
	m.launches(r.Launches)
	m.evidence(r.Evidence)
	m.layers(r.Layers)
	m.about(r)
	text := m.String()
	if len(text) > markdownMost {
		text = strings.ToValidUTF8(text[:markdownMost], "")
		text = text[:strings.LastIndexByte(text, '\n')+1] + "\n…and more: see the report.\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

type markdown struct{ strings.Builder }

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

func (m *markdown) verdict(r Report) {
	m.line("## %s Hallmark: %s\n", emblem(r.Verdict, r.ExitCode), loud(r.Verdict, r.ExitCode))
	if r.Headline != "" {
		m.line("**%s**\n", md(r.Headline))
	}
	if r.Next != "" {
		m.line("%s\n", md(r.Next))
	}
	for _, note := range r.allNotes() {
		m.line("> ⚠️ %s\n", md(note))
	}
	m.line("| | |\n| --- | --- |")
	m.row("image", mdCode(r.Image))
	if r.Subject.Digest != "" {
		m.row("digest", mdCode(r.Subject.Digest))
	}
	if r.StagingTag != "" {
		m.row("staging tag", mdCode(r.StagingTag))
	}
	for _, g := range r.Golden {
		m.row("golden tag", mdCode(g.Ref)+" "+md(g.sentence()))
	}
	m.row("run", mdCode(r.RunID)+" · "+Elapsed(r.Elapsed)+" · started "+when(r.Started)+" UTC")
	if r.VerifyCommand != "" {
		m.row("verify", mdCode(r.VerifyCommand))
	}
	m.line("")
}

func emblem(v verdict.Verdict, exitCode int) string {
	switch {
	case v == verdict.Fail:
		return "❌"
	case v == verdict.Pass && exitCode == 0:
		return "✅"
	default:
		return "⚠️"
	}
}

func (m *markdown) row(columns ...string) { m.line("| %s |", strings.Join(columns, " | ")) }

func (m *markdown) steps(steps []Step) {
	if len(steps) == 0 {
		return
	}
	m.line("| | step | time | |\n| --- | --- | ---: | --- |")
	for _, s := range steps {
		said := cmp.Or(s.Reason, s.Detail)
		if s.State == Done {
			said = s.Detail
		} else if s.State == Skipped {
			said = "skipped: " + said
		} else if s.State == NotReached {
			said = cmp.Or(said, "not reached")
		}
		elapsed := ""
		if s.Elapsed > 0 {
			elapsed = Elapsed(s.Elapsed)
		}
		m.row(s.Sign(), md(s.Name), elapsed, md(said))
	}
	m.line("")
	for _, s := range steps {
		if s.Output != "" {
			m.folded("Output of "+s.Name, s.Output)
		}
	}
}

// folded is a block that opens on a click.
func (m *markdown) folded(title, body string) {
	m.line("<details><summary>%s</summary>\n", md(title))
	lines := foreign.Lines(tail(body, markdownTail, 8<<10))
	fence := "```"
	for strings.Contains(strings.Join(lines, "\n"), fence) {
		fence += "`"
	}
	m.line("%stext\n%s\n%s\n\n</details>\n", fence, strings.Join(lines, "\n"), fence)
}

func (m *markdown) findings(r Report) {
	all := r.Findings
	if len(all) == 0 {
		return
	}
	news := r.news()
	blocking := 0
	for _, f := range all {
		if f.Blocking {
			blocking++
		}
	}
	m.line("### Findings\n\n%s, of which %d block: %s.\n", verdict.Plural(len(all), "finding"), blocking, bySeverity(all))
	if b := r.Before; b != nil {
		m.line("Since %s (%s): %d new, %d gone.\n", mdCode(b.Ref), mdCode(subject.Short(b.Digest)), len(b.New), b.Gone)
	}
	m.line("| | severity | finding | where | remedy |\n| --- | --- | --- | --- | --- |")
	sorted := append([]verdict.Finding(nil), all...)
	verdict.Sort(sorted)
	for i, f := range sorted {
		if i == markdownFindings {
			m.line("\n…and %d more: see the report.", len(sorted)-i)
			break
		}
		sign := ""
		if f.Blocking {
			sign = "✗"
		}
		if news[Key(f)] {
			sign = strings.TrimSpace(sign + " new")
		}
		said := mdCode(f.ID) + " "
		if f.Package != nil {
			said += md("in "+f.Package.Name+" "+f.Package.Installed+":") + " "
		}
		said += md(foreign.Cut(cmp.Or(f.Message, f.Title), 300))
		if f.Waiver != nil {
			state := "waived until "
			if f.Blocking {
				state = "waiver expired on "
			}
			said += md(" (" + state + f.Waiver.Until + ", " + f.Waiver.Owner + ": " + foreign.Cut(f.Waiver.Reason, 100) + ")")
		}
		m.row(sign, string(f.Severity), said, md(foreign.Cut(f.Place.String(), 120)), md(foreign.Cut(f.Remedy, 200)))
	}
	m.line("")
}

// bySeverity counts findings from the gravest down: "1 critical, 3 high".
func bySeverity(all []verdict.Finding) string {
	var parts []string
	for _, severity := range slices.Backward(verdict.Severities) {
		n := 0
		for _, f := range all {
			if f.Severity == severity {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, severity))
		}
	}
	return strings.Join(parts, ", ")
}

func (m *markdown) launches(all []Launch) {
	for _, l := range all {
		m.line("### Launch on %s, profile %s: %s\n", md(l.Target), md(l.Profile), l.Verdict)
		if l.Reason != "" {
			m.line("%s %s\n", md(sentence(l.Reason)), md(l.Remedy))
		}
		if len(l.Limits) > 0 {
			m.line("Limits: %s.\n", md(l.limits()))
		}
		if len(l.Facts) > 0 {
			m.line("Cluster: %s.\n", md(l.facts()))
		}
		if len(l.Probes) == 0 {
			continue
		}
		m.line("| probe | verdict | time | |\n| --- | --- | ---: | --- |")
		for _, p := range l.Probes {
			said := md(p.Reason)
			if lines := foreign.Lines(p.Output); said == "" && len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) != "" {
				said = mdCode(foreign.Cut(strings.TrimSpace(lines[len(lines)-1]), 100))
			}
			m.row(md(foreign.Cut(p.Name, 100)), string(p.Verdict), Elapsed(p.Elapsed), said)
		}
		m.line("")
		if l.LogTail != "" {
			m.folded("Log", l.LogTail)
		}
	}
}

func (m *markdown) evidence(all []Evidence) {
	if len(all) == 0 {
		return
	}
	m.line("### Evidence\n\n| kind | verdict | signer | when (UTC) | what |\n| --- | --- | --- | --- | --- |")
	for _, e := range all {
		what := cmp.Or(e.Summary, e.PredicateType)
		if e.Reused {
			what += " (stood already)"
		}
		m.row(md(e.Kind), cmp.Or(string(e.Verdict), "–"), mdCode(strings.TrimPrefix(signedBy(e.Signer), identityWord)), e.when(), md(foreign.Cut(what, 200)))
	}
	m.line("")
}

func (m *markdown) layers(all []Layer) {
	if len(all) == 0 {
		return
	}
	var total int64
	for _, l := range all {
		total += l.Size
	}
	m.line("<details><summary>%s, %s compressed</summary>\n", verdict.Plural(len(all), "layer"), Bytes(total))
	m.line("| | layer | size | made by |\n| ---: | --- | ---: | --- |")
	for i, l := range all {
		if i == 100 {
			m.line("\n…and %d more.", len(all)-i)
			break
		}
		m.row(fmt.Sprint(l.Index), mdCode(subject.Short(l.Digest)), Bytes(l.Size), mdCode(foreign.Cut(l.CreatedBy, 120)))
	}
	m.line("\n</details>\n")
}

func (m *markdown) about(r Report) {
	var words []string
	if r.Engine.Name != "" {
		words = append(words, "Engine: "+md(strings.TrimSpace(r.Engine.Name+" "+r.Engine.Version))+" ("+md(r.Engine.Reason)+").")
	}
	for _, p := range r.Packs {
		words = append(words, "Pack "+mdCode(p.Name)+": "+verdict.Plural(p.Rules, "rule")+", "+mdCode(subject.Short(p.Digest))+".")
	}
	if d := r.Scan.Database; d.Digest != "" {
		words = append(words, "Vulnerability database: "+mdCode(d.Source)+", "+mdCode(subject.Short(d.Digest))+", of "+when(d.Updated)+" UTC. "+md(d.Note))
	}
	if r.Hallmark != "" {
		words = append(words, "Hallmark "+md(r.Hallmark)+".")
	}
	if len(words) > 0 {
		m.line("<sub>%s</sub>", strings.Join(words, " "))
	}
}

// special are the characters that could format, link, embed or mention.
var special = strings.NewReplacer(
	"\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "|", "\\|", "~", "\\~", "#", "\\#", "!", "\\!",
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "@", "@\u200b", "://", ":\u200b//", "www.", "www\u200b.",
)

// md is foreign text as plain Markdown.
func md(text string) string { return special.Replace(foreign.Line(text)) }

// mdCode is foreign text as code in a table: no backtick ends it and no pipe ends the column.
func mdCode(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(foreign.Line(text), "`", "'"), "|", "¦")
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return "`" + text + "`"
}
