package foreign_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, line, spelled, columns string }{
		"plain":              {"a b-c", "a b-c", "a b-c", "a b-c"},
		"accents":            {"Zürich 漢字", "Zürich 漢字", "Zürich 漢字", "Zürich 漢字"},
		"colour":             {"\x1b[31mred\x1b[0m", "red", `\u001b[31mred\u001b[0m`, "·[31mred·[0m"},
		"title of a window":  {"\x1b]0;mine\x07x", "x", `\u001b]0;mine\u0007x`, "·]0;mine·x"},
		"title, cut off":     {"x\x1b]0;mine", "x", `x\u001b]0;mine`, "x·]0;mine"},
		"one-byte CSI":       {"\u009b2Jx", "x", `\u009b2Jx`, "·2Jx"},
		"lone escape":        {"a\x1b", "a", `a\u001b`, "a·"},
		"escape of escapes":  {"\x1b\x1b[m[31mx", "[31mx", `\u001b\u001b[m[31mx`, "··[m[31mx"},
		"bell, backspace":    {"a\x07\bb", "a��b", `a\u0007\u0008b`, "a··b"},
		"line end":           {"a\nb\r\nc", "a b c", "a\nb\\u000d\nc", "a·b··c"},
		"tab":                {"a\tb", "a b", "a\tb", "a b"},
		"right to left":      {"a\u202egpj.exe", "a�gpj.exe", `a\u202egpj.exe`, "a·gpj.exe"},
		"isolates":           {"\u2066a\u2069", "�a�", `\u2066a\u2069`, "·a·"},
		"nothing wide":       {"a\u200bb\ufeff", "a�b�", "a\u200bb\ufeff", "a·b·"},
		"no UTF-8":           {"a\xffb\xc0\xaf", "a�b��", `a\ufffdb\ufffd\ufffd`, "a·b··"},
		"line separator":     {"a\u2028b", "a�b", `a\u2028b`, "a·b"},
		"private and absent": {"\ue000\U000e0001", "��", "\ue000\U000e0001", "··"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := foreign.Line(c.text); got != c.line {
				t.Errorf("as a line %q, want %q", got, c.line)
			}
			if got := foreign.Spelled(c.text); got != c.spelled {
				t.Errorf("spelled %q, want %q", got, c.spelled)
			}
			if got := foreign.Columns(c.text); got != c.columns {
				t.Errorf("in columns %q, want %q", got, c.columns)
			}
		})
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	got := foreign.Text("10%\r50%\r100%\r\n\x1b[2Kdone\tnow\n\n")
	if want := "100%\ndone    now"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		got, want string
	}{
		{foreign.Short("  a\n\n b  ", 10), "a b"},
		{foreign.Short("äöüßä", 5), "äöüßä"},
		{foreign.Short("äöüßäö", 5), "äöüß…"},
		{foreign.Cut("abc", 0), "…"},
		{foreign.Cut("", 0), ""},
		{foreign.Bound("äö", 4), "äö"},
		{foreign.Bound("äö", 3), "ä…"},
		{foreign.Bound("\xff", 10), "�"},
		{foreign.Quoted("a\x1b\u202e", 10), `"a\x1b\u202e"`},
		{foreign.Quoted("abcdef", 3), `"abc"… (6 bytes)`},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// A secret is not shown, not even one that a sequence stands in.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	secret.Mask("a-masked-value")
	for _, text := range []string{"x a-masked-value y", "x a-mask\x1b[0med-value y", "x\ta-masked-value\ny"} {
		for name, got := range map[string]string{"line": foreign.Line(text), "text": foreign.Text(text), "short": foreign.Short(text, 100), "quoted": foreign.Quoted(text, 100)} {
			if strings.Contains(got, "masked-value") || name != "quoted" && !strings.Contains(got, "***") {
				t.Errorf("%s: %q becomes %q", name, text, got)
			}
		}
	}
}

func FuzzForeign(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b[31mred", "\x1b]0;t\x07", "\x1b\x1b[m[0m", "\u202e\u2066", "\xff\xfe", "a\r\nb\tc", "\u009b2J", "\x1bP\x1b\\", "e\u0301"} {
		f.Add(seed, 5)
	}
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = 1 + (most&0x7fffffff)%1000
		line := foreign.Line(text)
		shows(t, "Line", line)
		if again := foreign.Line(line); again != line {
			t.Errorf("Line of %q is %q, and of that %q", text, line, again)
		}
		for _, one := range foreign.Lines(text) {
			shows(t, "Lines", one)
		}
		short := foreign.Short(text, most)
		shows(t, "Short", short)
		if utf8.RuneCountInString(short) > most {
			t.Errorf("Short of %q, at most %d, is %q", text, most, short)
		}
		shows(t, "Quoted", foreign.Quoted(text, most))
		columns := foreign.Columns(text)
		shows(t, "Columns", columns)
		if got, want := utf8.RuneCountInString(columns), utf8.RuneCountInString(text); got != want {
			t.Errorf("Columns of %q has %d characters, not %d", text, got, want)
		}
		for _, r := range foreign.Spelled(text) {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Errorf("Spelled of %q holds %q", text, r)
			}
		}
		if bound := foreign.Bound(text, most); !utf8.ValidString(bound) || len(bound) > most+len(foreign.Ellipsis) {
			t.Errorf("Bound of %q, at most %d, is %q", text, most, bound)
		}
	})
}

// shows fails the test unless text does nothing but show.
func shows(t *testing.T, by, text string) {
	t.Helper()
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Errorf("%s lets %q through in %q", by, r, text)
		}
	}
	if !utf8.ValidString(text) {
		t.Errorf("%s lets invalid UTF-8 through: %q", by, text)
	}
}
