package evidence_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
)

// The examples of docs/evidence.md are real: each is read like evidence, and no kind lacks one.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/evidence.md")
	if err != nil {
		t.Fatal(err)
	}
	predicateType := regexp.MustCompile("(?m)^`(https://[^`]+)`")
	example := regexp.MustCompile("(?s)```json\n(.*?)```")
	seen := map[string]bool{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, _, _ := strings.Cut(section, "\n")
		block := example.FindStringSubmatch(section)
		if block == nil {
			continue
		}
		named := predicateType.FindStringSubmatch(section)
		if named == nil {
			t.Errorf("%s: names no predicate type", title)
			continue
		}
		sum, err := evidence.Summarize(evidence.Statement{PredicateType: named[1], Subject: about, Predicate: json.RawMessage(block[1])})
		if err != nil || sum.Kind == evidence.KindForeign {
			t.Errorf("%s: %v, %v", title, sum.Kind, err)
		}
		seen[named[1]] = true
	}
	for name, s := range all(t) {
		if !seen[s.PredicateType] {
			t.Errorf("%s: %s has no example", name, s.PredicateType)
		}
	}
}
