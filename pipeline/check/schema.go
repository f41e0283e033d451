package check

import (
	"encoding/json"
	"fmt"

	"github.com/hallmark-ci/hallmark/pipeline/image"
)

type object = map[string]any

// inputSchema describes to the compiler what a pack's rules find under input, so that a misspelt fact or parameter is
// an error of the pack, not a rule that never fires.
func inputSchema(about About, params []Param) (object, error) {
	properties := object{"params": paramSchema(params)}
	schema := object{"type": "object", "additionalProperties": false, "properties": properties}
	if about == AboutPromotion {
		properties["subject"] = shape(object{"repository": text, "digest": text})
		properties["now"] = text
		properties["evidence"] = object{"type": "array", "items": evidenceSchema()}
		return schema, nil
	}
	var facts object
	if err := json.Unmarshal(image.FactsSchema(), &facts); err != nil {
		return nil, fmt.Errorf("reading the facts' schema: %w", err)
	}
	// References inside the facts' schema count from the root: its definitions move there with it.
	for _, key := range []string{"$defs", "definitions"} {
		if definitions, ok := facts[key]; ok {
			schema[key] = definitions
			delete(facts, key)
		}
	}
	delete(facts, "$schema")
	delete(facts, "$id")
	properties["facts"] = facts
	properties["build"] = shape(object{
		"known":      object{"type": "boolean"},
		"dockerfile": text,
		"bases":      object{"type": "array", "items": shape(object{"ref": text, "digest": text, "pinned": object{"type": "boolean"}, "line": number})},
		"steps":      object{"type": "array", "items": shape(object{"line": number, "instruction": text, "layer": text})},
	})
	return schema, nil
}

var (
	text    = object{"type": "string"}
	number  = object{"type": "integer"}
	boolean = object{"type": "boolean"}
)

func shape(properties object) object {
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

func paramSchema(params []Param) object {
	properties := object{failOn: text}
	for _, p := range params {
		properties[p.Name] = map[Type]object{
			TypeString: text, TypeDuration: text, TypeInteger: number, TypeBoolean: {"type": "boolean"},
			TypeStrings: {"type": "array", "items": text}, TypeIntegers: {"type": "array", "items": number},
		}[p.Type]
	}
	return shape(properties)
}

func evidenceSchema() object {
	return shape(object{
		"predicate_type": text, "repository": text, "digest": text, "signer": text, "at": text,
		"verdict": text, "target": text, "slot": text, "ref": text, "database_updated_at": text,
		"packs":  object{"type": "array", "items": shape(object{"name": text, "version": text, "digest": text})},
		"scan":   shape(object{"known": boolean, "fail_on": text, "fixable_only": boolean, "secrets": boolean}),
		"probes": object{"type": "array", "items": text},
	})
}
