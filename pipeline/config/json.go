package config

import (
	"encoding/json"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// MarshalJSON writes the configuration with the keys and notations of hallmark.yaml.
func (c Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(plainNode(encode(root(), reflect.ValueOf(c))))
}

// plainNode is n as JSON holds it. Dates stay the texts that they were written as.
func plainNode(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		made := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			made[n.Content[i].Value] = plainNode(n.Content[i+1])
		}
		return made
	case yaml.SequenceNode:
		made := make([]any, len(n.Content))
		for i, item := range n.Content {
			made[i] = plainNode(item)
		}
		return made
	default:
		var value any
		if n.ShortTag() == "!!timestamp" || n.Decode(&value) != nil {
			return n.Value
		}
		return value
	}
}
