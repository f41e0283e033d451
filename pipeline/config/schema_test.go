package config

import (
	"strings"
	"testing"
)

// TestSchemaIsInStep compares the schema with the file that editors load; every field of the types must be in it.
func TestSchemaIsInStep(t *testing.T) {
	t.Parallel()
	schema := string(Schema())
	golden(t, "hallmark.schema.json", schema)
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
	golden(t, "../../docs/configuration.md", Reference())
	if _, err := parse([]byte(referenceExample), Name, "", "/project", nil, nil); err != nil {
		t.Errorf("the example of the reference is refused: %v", err)
	}
}
