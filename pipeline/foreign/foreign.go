// Package foreign makes text that others wrote fit to be shown: names out of images, output of build steps, answers of
// registries, lines of configuration files. Whoever repeats such text to people goes through here, so that no file name
// repaints a terminal, turns the direction of a line, or runs on for a megabyte.
//
//	Line    one line for a terminal, a log or a table
//	Lines   several, each as Line
//	Text    several, as one text
//	Short   one line of at most so many characters, for a message that quotes
//	Quoted  the same between quotation marks, with everything odd spelled out: names of files
//	Spelled text whose odd characters are spelled out instead of replaced: the author shall find them
//	Columns one line whose characters keep their columns, for a caret below it
//	Cut     at most so many characters
//	Bound   at most so many bytes, and valid UTF-8: for what is stored
//
// What is shown goes through secret.Redact too, but for Spelled, Columns, Cut and Bound, whose callers know better when.
// HTML and Markdown have marks of their own, which package report escapes after Line.
package foreign

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// sequences are what terminals obey: CSI and OSC sequences, and the short ones that begin with an escape.
var sequences = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|[\x1b\u009d][\\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\|$)|\x1b[ -/]*[0-~]?|\u009b[0-?]*[ -/]*[@-~]")

// Ellipsis stands where something was left out.
const Ellipsis = "…"

// Line is text as one line: masked secrets are hidden, terminal sequences dropped, and whatever else does not print
// (control characters, marks that turn the direction of writing, bytes that are no UTF-8) becomes �. Line ends and tabs
// become spaces.
func Line(text string) string {
	text = secret.Redact(text)
	if isPlain(text) {
		return text
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return ' '
		case r == '\r':
			return -1
		case !unicode.IsPrint(r):
			return utf8.RuneError
		default:
			return r
		}
	}, sequences.ReplaceAllString(text, ""))
	return secret.Redact(text) // a sequence may have stood in the middle of one
}

// isPlain says whether text is nothing but letters, digits, signs and spaces of ASCII, as most of it is.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// Lines is text line by line, each as Line makes it. Of a line that a program wrote over with carriage returns, the last
// state is kept; tabs become four spaces.
func Lines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		line = line[strings.LastIndexByte(line, '\r')+1:]
		lines[i] = Line(strings.ReplaceAll(line, "\t", "    "))
	}
	return lines
}

// Text is Lines as one text.
func Text(text string) string { return strings.Join(Lines(text), "\n") }

// Short is text as one line of at most so many characters, without spaces around it and with single ones in it.
func Short(text string, most int) string {
	return Cut(strings.Join(strings.Fields(Line(text)), " "), most)
}

// Quoted is text between quotation marks as Go writes them, of at most so many bytes; of a longer one it says how long.
func Quoted(text string, most int) string {
	text = secret.Redact(text)
	if len(text) <= most {
		return strconv.Quote(text)
	}
	return fmt.Sprintf("%q%s (%d bytes)", text[:most], Ellipsis, len(text))
}

// Spelled is text in which control characters, marks that turn the direction of writing, and bytes that are no UTF-8 are
// written as \u001b. Line ends and tabs stay.
func Spelled(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if r != '\t' && r != '\n' && odd(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// odd says whether a character does something to what is around it, or stands for no character at all.
func odd(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029'
}

// Columns is one line in which every character stands for one of text: a tab becomes a space, what does not print a dot.
func Columns(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return '·'
		default:
			return r
		}
	}, text)
}

// Cut is text of at most so many characters, the last of which says if something is missing.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:max(most-1, 0)]) + Ellipsis
}

// Bound is text as valid UTF-8, of which at most so many bytes are kept, and then said that something is missing.
func Bound(text string, most int) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + Ellipsis
}
