package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// many is a run with thousands of findings, each as long and as odd as they come.
func many() Report {
	r := failed()
	for i := range 2000 {
		f := verdict.Finding{
			ID: fmt.Sprintf("CVE-2026-%d", 10_000+i%1500), Gate: "scan", Kind: "vulnerability", Severity: verdict.Severities[i%5],
			Title: strings.Repeat("ü"+hostile, 8), Message: strings.Repeat(hostile+"\n", 20), Remedy: strings.Repeat("upgrade ", 1000), Source: "https://example.com/" + hostile,
			Package: &verdict.Package{Name: "lib" + hostile, Installed: "1", Fixed: "2"}, Blocking: i%2 == 0,
		}
		if i%7 == 0 {
			f.Kind, f.Package, f.Severity = "rule", nil, ""
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

// TestGitLabSchemas: what is written is what GitLab takes, for every sample and for thousands of findings.
func TestGitLabSchemas(t *testing.T) {
	t.Parallel()
	all := map[string]func() Report{"many": many}
	for name, sample := range samples {
		all[name] = sample
	}
	for file, render := range map[string]func(io.Writer, Report) error{
		"gitlab-container-scanning": GitLabContainerScanning,
		"gitlab-codequality":        func(w io.Writer, r Report) error { return GitLabCodeQuality(w, r, "Dockerfile") },
	} {
		schema := compile(t, "testdata/"+file+".schema.json")
		for name, sample := range all {
			var out bytes.Buffer
			if err := render(&out, sample()); err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(&out)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s of %s: %v", file, name, err)
			}
		}
	}
}

func compile(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	body, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	document, err := jsonschema.UnmarshalJSON(body)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(file, document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// junitElements are the elements and attributes of the schema that Jenkins' plugin is checked with.
var junitElements = map[string][]string{
	"testsuites": {"name", "time", "tests", "failures", "errors"},
	"testsuite":  {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
	"testcase":   {"name", "classname", "time", "file", "line"},
	"skipped":    {"message"}, "failure": {"message", "type"}, "error": {"message", "type"}, "system-out": nil,
}

// TestJUnitIsWhatItCounts reads a report as strictly as can be: known elements and attributes only, and counts that are
// those of what stands below.
func TestJUnitIsWhatItCounts(t *testing.T) {
	t.Parallel()
	all := map[string]func() Report{"many": many}
	for name, sample := range samples {
		all[name] = sample
	}
	for name, sample := range all {
		var out bytes.Buffer
		if err := JUnit(&out, sample()); err != nil {
			t.Fatal(err)
		}
		if out.Len() > 8<<20 {
			t.Errorf("%s: %d bytes", name, out.Len())
		}
		counted, claimed := map[string]int{}, map[string]int{}
		decoder := xml.NewDecoder(bytes.NewReader(out.Bytes()))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			element, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			known, isKnown := junitElements[element.Name.Local]
			if !isKnown {
				t.Errorf("%s: the element %s", name, element.Name.Local)
			}
			counted[element.Name.Local]++
			for _, a := range element.Attr {
				if !slices.Contains(known, a.Name.Local) {
					t.Errorf("%s: the attribute %s of %s", name, a.Name.Local, element.Name.Local)
				}
				n := 0
				if _, err := fmt.Sscan(a.Value, &n); err == nil && element.Name.Local == "testsuites" {
					claimed[a.Name.Local] = n
				}
			}
		}
		if counted["testcase"] != claimed["tests"] || counted["failure"] != claimed["failures"] || counted["error"] != claimed["errors"] {
			t.Errorf("%s: counted %v, claimed %v", name, counted, claimed)
		}
	}
}

// TestSARIFWithinGitHubsLimits: https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#validating-your-sarif-file
func TestSARIFWithinGitHubsLimits(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := SARIF(&out, many(), "Dockerfile"); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Runs []struct {
			Results []json.RawMessage
			Tool    struct {
				Driver struct{ Rules []json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Runs) != 1 || len(document.Runs[0].Results) > 25_000 || len(document.Runs[0].Tool.Driver.Rules) > 25_000 {
		t.Errorf("%d runs", len(document.Runs))
	}
}

// TestSummaryStaysSmall: thousands of findings do not make a page that no system takes.
func TestSummaryStaysSmall(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := Summary(&out, many()); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 140<<10 || !strings.Contains(out.String(), "more: see the report") {
		t.Errorf("%d bytes", out.Len())
	}
	if strings.Count(out.String(), "```")%2 != 0 {
		t.Error("a fence is not closed")
	}
}
