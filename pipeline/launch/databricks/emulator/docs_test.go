package emulator

import (
	"os"
	"strings"
	"testing"
)

// What the docs show of Terraform is what tools/terraform-check applies.
func TestDocsQuoteTheTerraformExample(t *testing.T) {
	t.Parallel()
	const top = "../../../../"
	docs, err := os.ReadFile(top + "docs/emulator.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(top + "examples/databricks/terraform/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	_, quoted, _ := strings.Cut(string(docs), "\n```hcl\n")
	quoted, _, closed := strings.Cut(quoted, "```\n")
	if !closed || !strings.Contains(string(example), quoted) {
		t.Errorf("the docs show\n%s\nwhich does not stand in the example", quoted)
	}
}
