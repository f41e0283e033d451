package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
)

// However a program writes a secret, it does not show.
func TestRedactKnowsOtherWaysToWrite(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`p&ss "w/o\rd" <1>+%=`, "plain-token-0123456789", "grün und geheim?", "key-line-one/+\nkey line two=="} {
		Mask(value)
		for _, line := range strings.Split(value, "\n") {
			asJSON, err := json.Marshal(map[string]string{"password": line})
			if err != nil {
				t.Fatal(err)
			}
			written := map[string]string{
				"itself": line, "query": "?token=" + url.QueryEscape(line) + "&x=1", "path": "/" + url.PathEscape(line) + "/x",
				"lower query": strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(line), "%2F", "%2f"), "%3D", "%3d"),
				"JSON":        string(asJSON), "HTML": "<b>" + html.EscapeString(line) + "</b>",
			}
			for n := range 7 { // as long as it takes for all alignments, before and behind
				around := strings.Repeat("u", n)
				for name, encoding := range map[string]*base64.Encoding{"std": base64.StdEncoding, "raw": base64.RawStdEncoding, "url": base64.URLEncoding, "raw url": base64.RawURLEncoding} {
					written[fmt.Sprint(name, n)] = encoding.EncodeToString([]byte(around + line))
					written[fmt.Sprint(name, n, " inside")] = encoding.EncodeToString([]byte(around + line + ":" + around))
				}
			}
			for how, text := range written {
				if how == "lower query" && strings.ContainsAny(text, "ABCDEF") && strings.Contains(text, "%") && text != lowerHex(text) {
					text = lowerHex(text)
				}
				got := Redact(text)
				if !strings.Contains(got, "***") {
					t.Errorf("%s of %q is shown: %q", how, line, got)
				}
				if encoded := base64.RawStdEncoding; strings.Contains(how, "std") || strings.Contains(how, "raw") {
					rest, _ := encoded.DecodeString(got)
					if strings.Contains(string(rest), line) {
						t.Errorf("%s of %q can be read in %q", how, line, got)
					}
				}
			}
		}
	}
}

func TestFormsAreBounded(t *testing.T) {
	t.Parallel()
	if got := formsOf(strings.Repeat("x", longestForm+1)); got != nil {
		t.Errorf("%d forms of a long text", len(got))
	}
	if got := formsOf("abcd"); len(got) != 0 { // its base64 is too short to be looked for
		t.Errorf("forms of a short text: %q", got)
	}
	if got := formsOf(`a "quoted" text/with+everything & <more>`); len(got) > 12 {
		t.Errorf("%d forms", len(got))
	}
	var lines strings.Builder
	for n := range mostLines + 1 {
		fmt.Fprintf(&lines, "line-%d-of-a-bounded-secret\n", n)
	}
	Mask(lines.String())
	if got := Redact("line-7-of-a-bounded-secret"); got != "***" {
		t.Errorf("a line is shown: %q", got)
	}
}

// BenchmarkRedact is a chunk of a log and as many secrets as a run with everything has.
func BenchmarkRedact(b *testing.B) {
	for n := range 20 {
		Mask(fmt.Sprintf("benchmark/secret+%d with <everything>", n))
	}
	text := strings.Repeat("26/11/22 04:00:00 INFO SparkContext: Running Spark version 3.5.2\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Redact(text)
	}
}
