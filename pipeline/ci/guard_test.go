package ci

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// obeyed finds what some system would take for a command. It is written from what the systems document, or do where they
// document nothing, and shares nothing with the code that it judges.
func obeyed(line string) string {
	lower := strings.ToLower(line)
	for _, mark := range []string{"##[", "##vso[", "##teamcity["} {
		if strings.Contains(lower, mark) {
			return mark
		}
	}
	if strings.Contains(line, "section_start:") || strings.Contains(line, "section_end:") {
		return "section"
	}
	if strings.HasPrefix(strings.TrimFunc(line, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff' }), "::") {
		return "::"
	}
	if regexp.MustCompile(`^(---|\+\+\+|~~~|\^\^\^) `).MatchString(line) {
		return "heading"
	}
	if strings.ContainsAny(line, "\x1b\r") {
		return "control"
	}
	return ""
}

var attacks = []string{
	"::set-output name=digest::sha256:evil", "  ::error::x", "\t::add-mask::x", "\ufeff::warning::x", "\u00a0::stop-commands::x", ":::error::",
	"text ##[set-env name=PATH;]evil", "##[ERROR]", "###[group]", "##VSO[task.setvariable variable=x]y", "a##vso[task.complete]", "##TeamCity[buildStatus status='SUCCESS']",
	"\x1b[0Ksection_start:1:x\r\x1b[0Kx", "section_start:1:x", "Section_End:1:x", "--- folded", "+++ open", "~~~ dim", "^^^ +++",
	"harmless\r::error::x", "harmless\u2028::error::x", "harmless\v::error::x", "\x00::error::x", "\x1b]1338;url=x\a", "ha:/:ma", "##", "::",
}

func FuzzGuard(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack, 3)
	}
	f.Fuzz(func(t *testing.T, text string, cut int) {
		var out bytes.Buffer
		guard := NewGuard(&out)
		cut = max(0, min(cut, len(text)))
		_, _ = guard.Write([]byte(text[:cut]))
		_, _ = guard.Write([]byte(text[cut:]))
		if err := guard.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.FieldsFunc(out.String(), func(r rune) bool {
			return r == '\n' || r == '\r' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029'
		}) {
			if mark := obeyed(line); mark != "" {
				t.Errorf("%q became %q, which some system takes for a command (%s)", text, line, mark)
			}
		}
	})
}

func FuzzJSONGuard(f *testing.F) {
	for _, attack := range attacks {
		f.Add(attack)
	}
	f.Fuzz(func(t *testing.T, text string) {
		body, err := json.Marshal(map[string]string{"message": text, text: "x"})
		if err != nil {
			t.Skip()
		}
		var out bytes.Buffer
		guard := NewJSONGuard(&out)
		_, _ = guard.Write(append(body, '\n'))
		if mark := obeyed(strings.TrimSuffix(out.String(), "\n")); mark != "" {
			t.Errorf("%q, which some system takes for a command (%s)", out.String(), mark)
		}
		var want, got map[string]string
		if json.Unmarshal(body, &want) != nil || json.Unmarshal(out.Bytes(), &got) != nil || got["message"] != want["message"] || len(got) != len(want) {
			t.Errorf("%s was %s: another value", out.String(), body)
		}
	})
}

// TestGuardLeavesTextAlone: what is no command is not touched.
func TestGuardLeavesTextAlone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "plain\n", "a::b\n", "std::string\n", "# heading\n", "--- \n"[:3] + "\n", "1.2s  build    #3 [1/2] RUN x: done\n", "sha256:abc\n", "✓ build\n"} {
		if got := Harmless(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
