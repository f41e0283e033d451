package reasons

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

const docsHead = `# Why Databricks ended a cluster

<!-- Made by "go test ./pipeline/launch/databricks/reasons -update" from the files in data. Edit them there. -->

When a cluster that Hallmark launched comes to an end, the workspace names one of %d codes. This page says what each of
them means for an image, and what to do. The same sentences stand in the report of a launch, with the platform's own words
behind them: its messages, how each init script ended, what the driver said last.

Whose matter a code is:

| | verdict | tried again on a fresh cluster |
| --- | --- | --- |
| **image** | fail: the image, or what it is started with, does not work there | never |
| **surroundings** | inconclusive: the cloud, the network or the platform; nothing is known of the image | where the table says so, up to %s in hallmark.yaml |
| **configuration** | inconclusive: hallmark.yaml, the registry, the workspace or the cloud account must be changed first | never |
| **ended** | inconclusive: somebody or something asked for the end | never |

Where the platform's message says more than its code, Hallmark goes by the message: such rows name a pattern. A code that
is not in this table is never laid at the image: it goes by the type that the workspace gives it (CLIENT_ERROR is
configuration, CLOUD_FAILURE and SERVICE_FAULT are surroundings, SUCCESS is ended).
`

// sections are the files in the order in which people will look.
var sections = []string{"image", "configuration", "ended", "platform", "network", "cloud", "aws", "azure", "gcp", "serverless"}

// The page is what the table says.
func TestDocs(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, docsHead, len(table()), "`retries`")
	files, err := data.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(sections) {
		t.Errorf("there are %d files in data, and the page has %d sections", len(files), len(sections))
	}
	for _, name := range sections {
		text, err := data.ReadFile("data/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n## %s%s\n\n", strings.ToUpper(doc.About[:1]), doc.About[1:])
		fmt.Fprintf(&b, "As of %s.\n\n| code | whose matter | what happened | what to do |\n| --- | --- | --- | --- |\n", doc.Date)
		for _, e := range doc.Codes {
			for i, form := range forms(e) {
				class, code := "**"+string(form.Class)+"**", "`"+e.Code+"`"
				if form.Retry {
					class += ", tried again"
				}
				if i > 0 {
					code += "<br>where it says `" + strings.ReplaceAll(e.When[i-1].Says, "|", `\|`) + "`"
				}
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code, class, fill(form.Sentence, nil), form.Remedy)
			}
		}
	}
	goldentest.Compare(t, filepath.Join("..", "..", "..", "..", "docs", "databricks-reasons.md"), b.String())
}
