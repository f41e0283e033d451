package image_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/image"
)

func reflectSchema() *jsonschema.Schema {
	reflector := jsonschema.Reflector{AllowAdditionalProperties: true, ExpandedStruct: true}
	schema := reflector.Reflect(image.Facts{})
	schema.ID = "https://hallmark-ci.github.io/facts/v1/schema.json"
	schema.Title = "Facts of an image"
	return schema
}

func TestSchemaIsTheCode(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(reflectSchema()); err != nil {
		t.Fatal(err)
	}
	goldentest.Compare(t, "facts.schema.json", out.Bytes())
	if !goldentest.Updating() && !bytes.Equal(image.FactsSchema(), out.Bytes()) {
		t.Error("FactsSchema is not the schema file")
	}
}

const (
	docsFile = "../../docs/facts.md"
	begin    = "<!-- fields: written by go test ./pipeline/image -update -->\n"
	end      = "<!-- end of fields -->\n"
)

func TestDocsNameEveryField(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has lost the marks around its fields", docsFile)
	}
	goldentest.Compare(t, docsFile, before+begin+fields(reflectSchema())+end+after)
}

// fields writes a table for the facts and one for each type in them.
func fields(schema *jsonschema.Schema) string {
	var out strings.Builder
	table := func(s *jsonschema.Schema) {
		out.WriteString("\n| field | type | |\n| --- | --- | --- |\n")
		for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
			optional := ""
			if !strings.Contains(" "+strings.Join(s.Required, " ")+" ", " "+pair.Key+" ") {
				optional = " (may be absent)"
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s%s |\n", pair.Key, typeName(pair.Value), strings.ReplaceAll(pair.Value.Description, "|", "\\|"), optional)
		}
	}
	table(schema)
	for _, name := range sortedKeys(schema.Definitions) {
		fmt.Fprintf(&out, "\n### %s\n", name)
		table(schema.Definitions[name])
	}
	out.WriteString("\n")
	return out.String()
}

func typeName(s *jsonschema.Schema) string {
	switch {
	case s.Ref != "":
		name := filepath.Base(s.Ref)
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	case s.Type == "array":
		return "list of " + typeName(s.Items)
	case s.Type == "object" && s.AdditionalProperties != nil:
		return "object of " + typeName(s.AdditionalProperties)
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, word := range s.Enum {
			words[i] = fmt.Sprintf("`%v`", word)
		}
		return strings.Join(words, ", ")
	default:
		return s.Type
	}
}
