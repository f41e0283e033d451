package image

import (
	_ "embed"
	"slices"
)

//go:embed facts.schema.json
var factsSchema []byte

// FactsSchema is the JSON Schema (draft 2020-12) of Facts. A test holds it equal to the Go types.
func FactsSchema() []byte { return slices.Clone(factsSchema) }
