package main

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// launcherInputs are the inputs that the launcher reads, and the program does not.
var launcherInputs = []string{"sudo", "binary", "sha256", "mirror", "mirror-token"}

// readInputNames are those that readInputs and its company read.
var readInputNames = []string{
	"command", "folder", "config", "context", "image", "reference", "tags", "only", "skip", "set", "key", "max-age", "promoted",
	"identity", "identity-regexp", "issuer", "issuer-regexp", "trusted-root",
	"report", "sarif", "sbom", "junit", "annotations", "summary", "github-token",
}

// TestActionFile: action.yml promises the inputs that are read and the outputs that are written, no more and no fewer.
func TestActionFile(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct{ Inputs, Outputs map[string]any }
	if err := yaml.Unmarshal(body, &action); err != nil {
		t.Fatal(err)
	}
	for name := range action.Inputs {
		if !slices.Contains(readInputNames, name) && !slices.Contains(launcherInputs, name) {
			t.Errorf("nobody reads the input %s", name)
		}
	}
	for _, name := range readInputNames {
		if _, promised := action.Inputs[name]; !promised {
			t.Errorf("action.yml does not know the input %s", name)
		}
	}
	written := []string{}
	for name := range fileOutputs {
		written = append(written, name)
	}
	for _, o := range (report.Report{}).Outputs() {
		written = append(written, o.Name)
	}
	for _, name := range written {
		if _, promised := action.Outputs[name]; !promised {
			t.Errorf("action.yml does not know the output %s", name)
		}
	}
	for name := range action.Outputs {
		if !slices.Contains(written, name) {
			t.Errorf("nobody writes the output %s", name)
		}
	}
}

// TestInputs: every input that is named here changes what is read.
func TestInputs(t *testing.T) {
	t.Parallel()
	empty := readInputs(func(string) string { return "" })
	for _, name := range readInputNames {
		if name == "github-token" || name == "command" {
			continue // see TestScripts
		}
		in := readInputs(func(variable string) string {
			if variable == "INPUT_"+upper(name) {
				return "false"
			}
			return ""
		})
		if same(in, empty) {
			t.Errorf("the input %s is not read", name)
		}
	}
	in := readInputs(func(variable string) string {
		if variable == "INPUT_TAGS" {
			return " golden, stable\n3.5\t"
		}
		return ""
	})
	if !slices.Equal(in.tags, []string{"golden", "stable", "3.5"}) {
		t.Errorf("%q", in.tags)
	}
}

func upper(name string) string { return string(bytes.ToUpper([]byte(name))) }

func same(a, b inputs) bool { return reflect.DeepEqual(a, b) }

// TestDocumentedApproval: the workflow in the docs is the one that test/real runs.
func TestDocumentedApproval(t *testing.T) {
	t.Parallel()
	run, err := os.ReadFile("../../test/real/testdata/action/approval.yml")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for line := range strings.Lines(string(run)) {
		if !strings.HasSuffix(line, "# only in the test\n") {
			want.WriteString(strings.Replace(line, "uses: ./ # hallmark-ci/hallmark@COMMIT", "uses: hallmark-ci/hallmark@COMMIT", 1))
		}
	}
	docs, err := os.ReadFile("../../docs/github-action.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(docs), "<!-- approval -->\n")
	got, _, found := strings.Cut(rest, "<!-- end of approval -->")
	if block := "```yaml\n" + want.String() + "```\n"; !found || got != block {
		t.Errorf("docs/github-action.md holds\n%s\nand the tests run\n%s", got, block)
	}
}
