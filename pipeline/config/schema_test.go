package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
)

// TestSchemaIsInStep compares the schema with the file that editors load; every field of the types must be in it.
func TestSchemaIsInStep(t *testing.T) {
	t.Parallel()
	schema := string(Schema())
	goldentest.Compare(t, "hallmark.schema.json", schema)
	var walk func(s *shape)
	walk = func(s *shape) {
		for _, f := range s.fields {
			if !strings.Contains(schema, `"`+f.key+`": {`) {
				t.Errorf("the field %s is not in the schema", f.key)
			}
			if f.doc == "" || !strings.HasSuffix(f.doc, ".") && !strings.HasSuffix(f.doc, "…") && !strings.HasSuffix(f.doc, "inline") {
				t.Errorf("the field %s has no description in sentences: %q", f.key, f.doc)
			}
			walk(f.shape.deepest())
		}
	}
	walk(root())
}

// TestReferenceIsInStep compares docs/configuration.md with the code.
func TestReferenceIsInStep(t *testing.T) {
	t.Parallel()
	goldentest.Compare(t, "../../docs/configuration.md", Reference())
	if _, err := parse([]byte(referenceExample), Name, "", "/project", nil, nil); err != nil {
		t.Errorf("the example of the reference is refused: %v", err)
	}
}

// onlyLoad are mistakes that a schema cannot see: combinations, YAML itself, and how words are meant.
var onlyLoad = map[string]bool{
	"contradictions": true, "duplicates": true, "image-tag": true, "image-digest": true, "image-scheme": true, "image-case": true,
	"image-dots": true, "image-edge": true, "image-slash": true,
	"yaml-indent": true, "yaml-tab": true, "yaml-colon": true, "documents": true, "alias-cycle": true, "alias-bomb": true, "not-utf8": true,
	"tags-and-merge": true, "databricks-probes": true, "launches": true, "sign": true, "reports-twice": true,
	"agree-runtime": true, "agree-nfs-missing": true, "agree-nfs-true": true, "agree-nfs-asked": true,
}

// TestSchemaAgrees reads the examples with the schema and with Load: what Load takes the schema takes, and what is
// wrong in form both refuse.
func TestSchemaAgrees(t *testing.T) {
	t.Parallel()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(SchemaID, document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(body []byte) error {
		var value any
		if err := yaml.Unmarshal(body, &value); err != nil {
			return err
		}
		return schema.Validate(plainJSON(value))
	}
	good, _ := filepath.Glob("testdata/good/*.yaml")
	for _, file := range good {
		body, _ := os.ReadFile(file)
		if strings.TrimSpace(string(body)) == "" {
			continue // an empty file says nothing; the schema is about mappings
		}
		if err := validate(body); err != nil {
			t.Errorf("%s: the schema refuses what Load takes: %v", file, err)
		}
	}
	bad, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, file := range bad {
		if name := strings.TrimSuffix(filepath.Base(file), ".yaml"); onlyLoad[name] {
			continue
		}
		body, _ := os.ReadFile(file)
		if validate(body) == nil {
			t.Errorf("%s: the schema takes what Load refuses", file)
		}
	}
	var printed bytes.Buffer
	cfg := Defaults()
	cfg.Image = "spark"
	if err := cfg.Print(&printed, false); err != nil {
		t.Fatal(err)
	}
	if err := validate(printed.Bytes()); err != nil {
		t.Errorf("the schema refuses the defaults: %v\n%s", err, printed.String())
	}
}

// plainJSON is a YAML value as JSON would hold it.
func plainJSON(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key := range value {
			value[key] = plainJSON(value[key])
		}
	case []any:
		for i := range value {
			value[i] = plainJSON(value[i])
		}
	case time.Time: // a date that was not quoted; editors see the text
		if value.Equal(value.Truncate(24 * time.Hour)) {
			return value.Format(time.DateOnly)
		}
		return value.Format(time.RFC3339)
	}
	return value
}
