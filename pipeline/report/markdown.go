package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Bounds of the Markdown summary: CI systems refuse a large one, and nobody reads it.
const (
	markdownFindings = 40
	markdownOpen     = 10 // findings that stand open; the others unfold
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
	m.line("## %s Hallmark: %s\n", emblems[shown(r.Verdict, r.ExitCode)], loud(r.Verdict, r.ExitCode))
	if r.Headline != "" {
		m.line("**%s**\n", md(r.Headline))
	}
	if r.Next != "" {
		m.line("**What to do:** %s\n", md(r.Next))
	}
	for _, note := range r.allNotes() {
		m.line("> ⚠️ %s\n", md(note))
	}
	m.row("image", mdCode(r.Image)) // the first row is a table's head, which cannot be left out
	m.line("| --- | --- |")
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

var emblems = map[verdict.Verdict]string{verdict.Fail: "❌", verdict.Pass: "✅", verdict.Inconclusive: "⚠️"}

func (m *markdown) row(columns ...string) { m.line("| %s |", strings.Join(columns, " | ")) }

func (m *markdown) steps(steps []Step) {
	if len(steps) == 0 {
		return
	}
	m.line("| | step | time | result |\n| --- | --- | ---: | --- |")
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
	m.line("<details><summary>%s</summary>\n", mdHTML(title))
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
	sorted := append([]verdict.Finding(nil), all...)
	verdict.Sort(sorted)
	news := r.news()
	m.line("### Findings\n")
	m.counts(sorted, r.Before, news)
	const head = "| status | severity | finding | where | remedy |\n| --- | --- | --- | --- | --- |"
	m.line(head)
	for i, f := range sorted {
		if i == markdownOpen && len(sorted) > markdownOpen+1 {
			m.line("\n<details><summary>%d more</summary>\n\n%s", len(sorted)-i, head)
		}
		if i == markdownFindings {
			m.line("\n…and %d more: see the report.", len(sorted)-i)
			break
		}
		m.finding(f, news[Key(f)])
	}
	m.line("")
	if len(sorted) > markdownOpen+1 {
		m.line("</details>\n")
	}
}

// finding is a row of the table of findings.
func (m *markdown) finding(f verdict.Finding, isNew bool) {
	var status []string
	switch {
	case f.Blocking:
		status = append(status, "blocks")
	case f.Waiver != nil:
		status = append(status, "waived")
	}
	if isNew {
		status = append(status, "new")
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
	m.row(strings.Join(status, ", "), string(f.Severity), said, md(foreign.Cut(f.Place.String(), 120)), md(foreign.Cut(f.Remedy, 200)))
}

// counts are the findings by severity: all, those that block, and those that golden does not have.
func (m *markdown) counts(all []verdict.Finding, before *Before, news map[string]bool) {
	head, rule := []string{""}, []string{"---"}
	sums := [3][]string{{"all"}, {"blocking"}, {"new"}}
	if before != nil {
		sums[2][0] = "new since " + mdCode(before.Ref) + " (" + mdCode(subject.Short(before.Digest)) + ")"
	}
	column := func(name string, counted func(f verdict.Finding) bool) {
		var n [3]int
		for _, f := range all {
			if counted(f) {
				n[0]++
				n[1] += btoi(f.Blocking)
				n[2] += btoi(news[Key(f)])
			}
		}
		if n[0] > 0 {
			head, rule = append(head, name), append(rule, "---:")
			for i := range sums {
				sums[i] = append(sums[i], strconv.Itoa(n[i]))
			}
		}
	}
	for _, severity := range slices.Backward(verdict.Severities) {
		column(string(severity), func(f verdict.Finding) bool { return cmp.Or(f.Severity, verdict.Unknown) == severity })
	}
	column("total", func(verdict.Finding) bool { return true })
	m.row(head...)
	m.row(rule...)
	m.row(sums[0]...)
	m.row(sums[1]...)
	if before != nil {
		m.row(sums[2]...)
	}
	m.line("")
	if before != nil && before.Gone > 0 {
		m.line("%s of it no more.\n", verdict.Plural(before.Gone, "finding"))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
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
		m.line("| probe | verdict | time | result |\n| --- | --- | ---: | --- |")
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

// html are the characters that could be markup, link or mention where a block of HTML keeps Markdown out.
var html = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;", "@", "@\u200b", "://", ":\u200b//", "www.", "www\u200b.")

// mdHTML is foreign text inside a tag that Markdown does not look into.
func mdHTML(text string) string { return html.Replace(foreign.Line(text)) }

// mdCode is foreign text as code in a table: no backtick ends it and no pipe ends the column.
func mdCode(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(foreign.Line(text), "`", "'"), "|", "¦")
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return "`" + text + "`"
}
