package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
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
		schema := compile(t, "testdata/schemas/"+file+".schema.json")
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

// TestJUnitIsWhatItCounts: every report validates, and its counts are those of what stands below.
func TestJUnitIsWhatItCounts(t *testing.T) {
	t.Parallel()
	schema := readXSD(t, "testdata/schemas/junit-10.xsd")
	all := map[string]func() Report{"many": many, "hostile": func() Report { return everywhere(hostile) }}
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
		if err := schema.validate(bytes.NewReader(out.Bytes())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		root, err := readNodes(&out)
		if err != nil {
			t.Fatal(err)
		}
		counted, claimed := map[string]int{}, map[string]int{}
		var count func(n *node)
		count = func(n *node) {
			counted[n.name]++
			for _, child := range n.children {
				count(child)
			}
		}
		count(root)
		for _, a := range root.children[0].attr {
			claimed[a.Name.Local], _ = strconv.Atoi(a.Value)
		}
		if counted["testcase"] != claimed["tests"] || counted["failure"] != claimed["failures"] || counted["error"] != claimed["errors"] {
			t.Errorf("%s: counted %v, claimed %v", name, counted, claimed)
		}
	}
}

// TestXSDRefuses: the reader of the schema sees what is wrong.
func TestXSDRefuses(t *testing.T) {
	t.Parallel()
	schema := readXSD(t, "testdata/schemas/junit-10.xsd")
	for document, want := range map[string]string{
		`<testsuites><testsuite name="a" tests="1" failures="0" errors="0" time="1.5"><testcase name="b"><failure message="c">d</failure></testcase></testsuite></testsuites>`: "",
		`<testsuites><testsuite tests="1" failures="0" errors="0"/></testsuites>`:                                                                                              "no name",
		`<testsuites><testsuite name="a" tests="1" failures="0" errors="0" time="fast"/></testsuites>`:                                                                         `time="fast"`,
		`<testsuites><testsuite name="a" tests="1" failures="0" errors="0" colour="red"/></testsuites>`:                                                                        "colour",
		`<testsuites><testcase name="b"/></testsuites>`:                                                                                                                        "may not stand there",
		`<testsuites>text</testsuites>`: "holds text",
		`<nothing/>`:                    "unknown",
		`<testsuites><testsuite name="a" tests="1" failures="0" errors="0"><system-out a="b"/></testsuite></testsuites>`: "is text",
	} {
		err := schema.validate(strings.NewReader(document))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", document, err, want)
		}
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
