package report

import (
	"bufio"
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// VerifyTable writes what `hallmark verify` found: a line for each piece of evidence with its kind, verdict, signer,
// time and what it says; then what is missing and what was not believed; the verdict last.
func VerifyTable(w io.Writer, v Verification, width int, colour bool) error {
	if width < 40 {
		width = 80
	}
	v = redacted(v)
	c := &canvas{bufio.NewWriter(w), painter(colour), width}
	c.line("%s  %s", c.paint("Evidence for", bold), foreign.Line(v.Ref))
	if v.Subject.Digest != "" {
		c.line("%s%s", strings.Repeat(" ", len("Evidence for  ")), foreign.Line(v.Subject.Digest))
	}
	c.line("")
	c.evidence(v.Evidence, v.Missing)
	for _, who := range identities(v.Evidence) {
		c.field("identity", who, "")
	}
	for _, r := range v.Rejected {
		c.line("%s %s  %s", c.paint("✗", red), cmp.Or(foreign.Line(r.Kind), "evidence"), "not believed")
		c.field("reason", r.Reason, "")
		c.field("stored", r.Ref, dim)
	}
	if len(v.Rejected) > 0 {
		c.line("")
	}
	for _, m := range v.Missing {
		if m.Remedy != "" || m.Reason != "" {
			c.field("missing", m.Kind+": "+strings.TrimSpace(sentence(m.Reason)+" "+m.Remedy), "")
		}
	}
	for _, note := range v.Notes {
		c.field("note", note, yellow)
	}
	c.verdict(Report{Verdict: v.Verdict, ExitCode: v.ExitCode, Headline: v.Headline, Next: v.Next})
	return c.Flush()
}

func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// evidence writes the table. Columns are as wide as what stands in them; what it says takes the rest.
func (c *canvas) evidence(all []Evidence, missing []Missing) {
	rows := [][5]string{{"KIND", "VERDICT", "SIGNER", "WHEN (UTC)", "WHAT"}}
	for _, e := range all {
		rows = append(rows, [5]string{foreign.Line(e.Kind), cmp.Or(string(e.Verdict), "–"), foreign.Line(signer(e.Signer)), e.when(), foreign.Line(cmp.Or(e.Summary, e.PredicateType))})
	}
	for _, m := range missing {
		rows = append(rows, [5]string{foreign.Line(m.Kind), "missing", "–", "–", ""})
	}
	var widths [5]int
	for _, row := range rows {
		for i, text := range row {
			widths[i] = max(widths[i], min(cells(text), 24))
		}
	}
	rest := max(c.width-2-widths[0]-widths[1]-widths[2]-widths[3]-8, 10)
	for i, row := range rows {
		sign, mark := "✓", green
		switch {
		case row[1] == "missing", row[1] == string(verdict.Fail):
			sign, mark = "✗", red
		case row[1] == string(verdict.Inconclusive):
			sign, mark = "?", yellow
		}
		text := ""
		for j, column := range row[:4] {
			text += pad(Fit(column, widths[j]), widths[j]) + "  "
		}
		if i == 0 {
			c.line("  %s", c.paint(strings.TrimRight(text+row[4], " "), dim))
			continue
		}
		lines := Wrap(row[4], rest)
		c.line("%s %s%s", c.paint(sign, mark), text, lines[0])
		for _, line := range lines[1:] {
			c.line("  %s%s", strings.Repeat(" ", cells(text)), line)
		}
	}
	c.line("")
}

func (e Evidence) when() string {
	if e.At.IsZero() {
		return "–"
	}
	return e.At.UTC().Format("2006-01-02 15:04")
}

// identities are the signers that have no key, each once: their names are too long for a column.
func identities(all []Evidence) []string {
	var names []string
	for _, e := range all {
		if who, yes := strings.CutPrefix(e.Signer, identityWord); yes && !slices.Contains(names, who) {
			names = append(names, who)
		}
	}
	return names
}

// identityWord begins the name of a signer that has no key.
const identityWord = "identity "

// signer shortens a key's digest to what people compare, and an identity to the word.
func signer(full string) string {
	if strings.HasPrefix(full, identityWord) {
		return strings.TrimSpace(identityWord)
	}
	if before, digest, found := strings.Cut(full, "sha256:"); found {
		return before + subject.Short("sha256:"+digest)
	}
	return full
}

// signedBy is the signer where there is room: an identity in full.
func signedBy(full string) string {
	if strings.HasPrefix(full, identityWord) {
		return full
	}
	return signer(full)
}
