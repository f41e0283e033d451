package config

import (
	"encoding/json"
	"reflect"
	"strings"
)

// SchemaID names the schema; editors find it through the file's first line or their settings.
const SchemaID = "https://hallmark-ci.github.io/schema/hallmark-v1.json"

// Schema is the JSON Schema (draft 2020-12) of hallmark.yaml, made from the same description as the decoder. It knows
// words, notations and what must be there; contradictions between fields are found by Load alone.
func Schema() []byte {
	defaults := Defaults()
	schema := schemaOf(root(), reflect.ValueOf(defaults))
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["$id"] = SchemaID
	schema["title"] = "hallmark.yaml"
	body, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // maps, lists and texts always marshal
	}
	return append(body, '\n')
}

// schemaOf is the schema of s; defaults is the value that stands where nothing is written, invalid where there is none.
func schemaOf(s *shape, defaults reflect.Value) map[string]any {
	switch s.kind {
	case object:
		return objectSchema(s, defaults)
	case dict:
		// A section with everything in it commented out is null.
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": schemaOf(s.elem, reflect.Value{})}
	case list:
		return map[string]any{"type": "array", "items": schemaOf(s.elem, reflect.Value{})}
	case boolean:
		return map[string]any{"type": "boolean"}
	case integer:
		return map[string]any{"type": "integer"}
	case number:
		return map[string]any{"type": "number"}
	case text:
		return textSchema(s)
	default:
		return map[string]any{}
	}
}

func textSchema(s *shape) map[string]any {
	if s.words != nil {
		return map[string]any{"enum": s.words}
	}
	if n, known := notations[s.typ]; known {
		if n.number { // as JSON Schema sees 0 or 1024, which YAML reads as a number
			return map[string]any{"anyOf": []any{map[string]any{"type": "string", "pattern": n.pattern}, map[string]any{"type": "integer", "minimum": 0, "maximum": n.most}}}
		}
		return map[string]any{"type": "string", "pattern": n.pattern}
	}
	// A text is taken as it is written: 17 and true are texts where texts are wanted.
	return map[string]any{"type": []string{"string", "number", "boolean"}}
}

func objectSchema(s *shape, defaults reflect.Value) map[string]any {
	if part, known := partDefaults[s.typ]; known {
		defaults = reflect.ValueOf(part)
	}
	properties, required := map[string]any{}, []string{}
	for _, f := range s.fields {
		value := reflect.Value{}
		if defaults.IsValid() && f.shape.kind != list {
			value = defaults.FieldByIndex(f.index)
		}
		property := schemaOf(f.shape, value)
		property["description"] = f.doc
		if value.IsValid() && f.shape.kind != object && !value.IsZero() {
			property["default"] = plainNode(encode(f.shape, value))
		}
		if f.example != "" && f.shape.kind == text {
			property["examples"] = []string{f.example}
		}
		properties[f.key] = property
		if f.required {
			required = append(required, f.key)
		}
	}
	schema := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	} else if !s.one {
		schema["type"] = []string{"object", "null"}
	}
	if s.one {
		schema["minProperties"], schema["maxProperties"] = 1, 1
	}
	if s.short != nil {
		return map[string]any{"anyOf": []any{schemaOf(s.short.shape, reflect.Value{}), schema}}
	}
	return schema
}

// defaultText is the default of a field as people write it, "" where there is none.
func (f *field) defaultText(v reflect.Value) string {
	if f.fallback != "" {
		return f.fallback
	}
	if !v.IsValid() || f.shape.kind == object || v.IsZero() && f.shape.kind != boolean && f.shape.kind != list {
		return ""
	}
	if f.shape.kind == list && !f.shape.elem.scalar() {
		return ""
	}
	node := encode(f.shape, v)
	if len(node.Content) == 0 && f.shape.kind == list {
		return "`[]`"
	}
	var words []string
	for _, item := range node.Content {
		words = append(words, item.Value)
	}
	if words != nil {
		return "`[" + strings.Join(words, ", ") + "]`"
	}
	return "`" + node.Value + "`"
}
