package scan

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// tableWidth is what a table never exceeds, unless one of its unbreakable words does.
const tableWidth = 100

// writeTable writes what a person reads first: what blocks and how to repair it, then everything else in one line each.
func (r *Result) writeTable(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", foreign.Line(r.report.ArtifactName))
	system := cmp.Or(foreign.Line(r.System), "no operating system recognised")
	fmt.Fprintf(&b, "  %s, %s, %s\n", system, verdict.Plural(r.Packages, "package"), verdict.Plural(len(r.report.Metadata.Layers), "layer"))
	fmt.Fprintf(&b, "  database  %s, data of %s\n            %s\n", foreign.Line(r.Database.Source),
		r.Database.UpdatedAt.UTC().Format("2006-01-02"), r.Database.Digest)
	for _, note := range r.Notes {
		writeWrapped(&b, "  note      ", note)
	}

	var blocking, excused, other []verdict.Finding
	for _, f := range r.Findings {
		switch {
		case f.Blocking:
			blocking = append(blocking, f)
		case f.Waiver != nil && !r.expired(f):
			excused = append(excused, f)
		default:
			other = append(other, f)
		}
	}
	if len(blocking) > 0 {
		fmt.Fprintf(&b, "\nBLOCKING (%d)\n", len(blocking))
		for _, f := range blocking {
			r.writeBlocking(&b, f)
		}
	}
	if len(other) > 0 {
		fmt.Fprintf(&b, "\nNOT BLOCKING (%d)\n", len(other))
		writeRows(&b, other)
	}
	if len(excused) > 0 {
		fmt.Fprintf(&b, "\nEXCUSED (%d)\n", len(excused))
		for _, f := range excused {
			writeWrapped(&b, fmt.Sprintf("  %-8s  ", f.Severity), headline(f)+": "+excuseOf(f.Waiver))
		}
	}
	fmt.Fprintf(&b, "\n%s: %s\n", strings.ToUpper(string(r.Verdict)), r.Summary())
	_, err := w.Write(b.Bytes())
	return err
}

// expired says that an exception covers the finding and no longer holds.
func (r *Result) expired(f verdict.Finding) bool {
	return f.Waiver != nil && f.Waiver.ExpiredAt(r.report.CreatedAt)
}

func excuseOf(waiver *verdict.Waiver) string {
	text := waiver.Reason
	if waiver.Owner != "" {
		text += ", " + waiver.Owner
	}
	if waiver.Until != endless {
		text += ", until " + waiver.Until
	}
	return text
}

// headline names a finding in a few words: "CVE-2024-1 in zlib1g 1.2.13", "private-key".
func headline(f verdict.Finding) string {
	if f.Package == nil {
		return f.ID
	}
	return fmt.Sprintf("%s in %s %s", f.ID, f.Package.Name, f.Package.Installed)
}

func (r *Result) writeBlocking(b *bytes.Buffer, f verdict.Finding) {
	writeWrapped(b, fmt.Sprintf("\n  %-8s  ", f.Severity), headline(f)+": "+f.Title)
	if f.Kind == "secret" || f.Package == nil || r.expired(f) {
		writeWrapped(b, "            what   ", f.Message)
	}
	if place := f.Place.String(); place != "" {
		writeWrapped(b, "            where  ", place)
	}
	if f.Place.Layer != "" {
		layer := "layer " + shortDigest(f.Place.Layer)
		if f.Place.CreatedBy != "" {
			layer += ", made by " + foreign.Short(f.Place.CreatedBy, 200)
		}
		writeWrapped(b, "                   ", layer)
	}
	writeWrapped(b, "            fix    ", f.Remedy)
}

// writeRows writes one line an advisory: the packages that one source was built into share it.
func writeRows(b *bytes.Buffer, findings []verdict.Finding) {
	type group struct {
		row  [5]string
		more int
	}
	var groups []group
	at := map[string]int{}
	for _, f := range findings {
		row := [5]string{string(f.Severity), f.ID, f.Place.String(), "", f.Title}
		if f.Package != nil {
			row[2] = f.Package.Name + " " + f.Package.Installed
			row[3] = cmp.Or(f.Package.Fixed, "no fix")
		}
		for i := range row {
			row[i] = foreign.Line(row[i])
		}
		key := strings.Join([]string{row[0], row[1], row[3], f.Kind}, "|")
		if i, known := at[key]; known && f.Package != nil {
			groups[i].more++
			continue
		}
		at[key] = len(groups)
		groups = append(groups, group{row: row})
	}
	rows := make([][5]string, 0, len(groups))
	for _, g := range groups {
		if g.more > 0 {
			g.row[2] += fmt.Sprintf(" (+%d)", g.more)
		}
		rows = append(rows, g.row)
	}
	widths := [4]int{8, 14, 0, 0}
	limits := [4]int{8, 24, 40, 20}
	for _, row := range rows {
		for i := range widths {
			widths[i] = min(max(widths[i], utf8.RuneCountInString(row[i])), limits[i])
		}
	}
	for _, row := range rows {
		line := "  "
		for i, width := range widths {
			line += pad(clipMiddle(row[i], width), width) + "  "
		}
		room := tableWidth - utf8.RuneCountInString(line)
		if room >= 16 {
			line += foreign.Cut(row[4], room)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// writeWrapped writes text after lead, folded at words, further lines standing below the first one's text.
func writeWrapped(b *bytes.Buffer, lead, text string) {
	width := tableWidth - utf8.RuneCountInString(strings.TrimLeft(lead, "\n"))
	indent := strings.Repeat(" ", utf8.RuneCountInString(strings.TrimLeft(lead, "\n")))
	line := ""
	lines := []string{}
	for _, word := range strings.Fields(foreign.Line(text)) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	lines = append(lines, line)
	b.WriteString(lead + strings.Join(slices.Clip(lines), "\n"+indent) + "\n")
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// clipMiddle keeps both ends: package names differ at the front, versions at the end.
func clipMiddle(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	half := (width - 1) / 2
	return string(runes[:width-1-half]) + "…" + string(runes[len(runes)-half:])
}

func shortDigest(digest string) string {
	_, hex, found := strings.Cut(digest, ":")
	if !found {
		hex = path.Base(digest)
	}
	return hex[:min(len(hex), 12)]
}
