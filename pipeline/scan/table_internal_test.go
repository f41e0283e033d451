package scan

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Whatever an image calls its packages, files and steps, the table only shows it.
func TestTableOfAHostileImage(t *testing.T) {
	t.Parallel()
	const evil = "a\x1b]0;mine\x07\x1b[2J\u202eb\nBLOCKING (0)"
	finding := func(blocking bool) verdict.Finding {
		return verdict.Finding{
			ID: "CVE-2024-1" + evil, Title: evil, Message: evil, Remedy: evil, Severity: verdict.High, Blocking: blocking,
			Package: &verdict.Package{Name: evil, Installed: evil, Fixed: evil},
			Place:   verdict.Place{File: evil, Layer: "sha256:" + strings.Repeat("a", 64), CreatedBy: evil},
		}
	}
	r := &Result{Verdict: verdict.Fail, Findings: []verdict.Finding{finding(true), finding(false)}, System: evil, Database: DatabaseInfo{Source: evil}}
	r.report.ArtifactName = evil
	var out bytes.Buffer
	if err := r.writeTable(&out); err != nil {
		t.Fatal(err)
	}
	for _, c := range out.String() {
		if c != '\n' && !unicode.IsPrint(c) {
			t.Fatalf("%q reaches the terminal:\n%q", c, out.String())
		}
	}
	if strings.Contains(out.String(), "\nBLOCKING (0)") {
		t.Errorf("the image has written a line of its own:\n%s", out.String())
	}
}
