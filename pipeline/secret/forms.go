package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Bounds of what is looked for besides a secret itself.
const (
	// mostLines and longestForm leave out values that are no password and no token: each form costs a search in every text.
	mostLines   = 64
	longestForm = 4 << 10
	// shortestCode keeps forms in base64 from matching by chance.
	shortestCode = 8
)

// formsOf are the other ways in which programs write a line of a secret: in addresses, in JSON, in HTML, and in base64,
// there also amid something longer, as in the header of a basic authentication.
func formsOf(line string) []string {
	if len(line) > longestForm {
		return nil
	}
	query := url.QueryEscape(line)
	forms := []string{query, url.PathEscape(line), lowerHex(query), html.EscapeString(line), quoted(line, true), quoted(line, false)}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			if code := amid(encoding, line, before); len(code) >= shortestCode {
				forms = append(forms, code)
			}
		}
	}
	slices.Sort(forms)
	return slices.DeleteFunc(slices.Compact(forms), func(form string) bool { return form == line || len(form) < shortest })
}

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// lowerHex writes %2F as %2f.
func lowerHex(text string) string { return percent.ReplaceAllStringFunc(text, strings.ToLower) }

// quoted is what stands between the quotation marks of a JSON text.
func quoted(text string, escapeHTML bool) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(escapeHTML)
	if encoder.Encode(text) != nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

// amid is the part of an encoding that depends on text alone, when so many bytes (modulo three) stand before it.
func amid(encoding *base64.Encoding, text string, before int) string {
	code := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + text))
	from := []int{0, 2, 3}[before] // characters that hold bits of what stands before
	whole := (before + len(text)) * 8 / 6
	return code[min(from, whole):whole]
}
