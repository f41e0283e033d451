package check

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

// document reads one YAML document into nodes, which know their lines. Aliases are refused: a pack has no need of
// them, and a few lines of them can grow to gigabytes.
func (s *source) document(file string) (*yaml.Node, *Problem) {
	var doc yaml.Node
	if err := yaml.Unmarshal(s.files[file], &doc); err != nil {
		return nil, s.ofYAML(file, err)
	}
	if len(doc.Content) == 0 {
		return nil, s.at(file, 0, 0, "the file is empty")
	}
	if node := firstAlias(&doc); node != nil {
		return nil, s.at(file, node.Line, node.Column, "aliases (*%s) are not allowed here", node.Value)
	}
	return doc.Content[0], nil
}

func firstAlias(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node
	}
	for _, child := range node.Content {
		if found := firstAlias(child); found != nil {
			return found
		}
	}
	return nil
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

func (s *source) ofYAML(file string, err error) *Problem {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	var typed *yaml.TypeError
	if errors.As(err, &typed) && len(typed.Errors) > 0 {
		message = typed.Errors[0]
	}
	line := 0
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = strings.Replace(message, m[0], "", 1)
	}
	return s.at(file, line, 0, "%s", foreign.Spelled(message))
}

// mapping walks the keys of a YAML mapping in order, refuses unknown and repeated ones, and calls what is known for each.
func (s *source) mapping(file string, node *yaml.Node, what string, known map[string]func(*yaml.Node) *Problem) *Problem {
	if node.Kind != yaml.MappingNode {
		return s.at(file, node.Line, node.Column, "%s must be a mapping of keys to values", what)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		read, ok := known[key.Value]
		if !ok {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			p := s.at(file, key.Line, key.Column, "%s has no key %q", what, foreign.Spelled(key.Value))
			p.Suggestion = didYouMean(key.Value, names)
			return p
		}
		if seen[key.Value] {
			return s.at(file, key.Line, key.Column, "%s has the key %q twice", what, key.Value)
		}
		seen[key.Value] = true
		if p := read(value); p != nil {
			return p
		}
	}
	return nil
}

// text makes a reader of a string into target.
func (s *source) text(file, what string, target *string) func(*yaml.Node) *Problem {
	return func(node *yaml.Node) *Problem {
		if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
			return s.at(file, node.Line, node.Column, "%s must be a text", what)
		}
		*target = strings.TrimSpace(node.Value)
		return nil
	}
}

// value turns a node into what JSON knows: map[string]any, []any, string, bool, int, float64, nil. Dates stay text.
func value(node *yaml.Node) (any, error) {
	switch node.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i].Value
			if _, twice := out[key]; twice {
				return nil, &nodeError{node.Content[i], fmt.Sprintf("the key %q stands here twice", key)}
			}
			v, err := value(node.Content[i+1])
			if err != nil {
				return nil, err
			}
			out[key] = v
		}
		return out, nil
	case yaml.SequenceNode:
		out := make([]any, 0, len(node.Content))
		for _, child := range node.Content {
			v, err := value(child)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.ScalarNode:
		return scalar(node)
	default:
		return nil, &nodeError{node, "this kind of YAML node is not allowed here"}
	}
}

func scalar(node *yaml.Node) (any, error) {
	switch node.Tag {
	case "!!null":
		return nil, nil //nolint:nilnil // null is a value here
	case "!!bool", "!!int", "!!float":
		var v any
		if err := node.Decode(&v); err != nil {
			return nil, &nodeError{node, err.Error()}
		}
		if !slices.Contains([]string{"!!bool", "!!int"}, node.Tag) {
			if f, ok := v.(float64); ok && (f != f || f > 1e300 || f < -1e300) {
				return nil, &nodeError{node, "a number must be finite"}
			}
		}
		return v, nil
	case "!!str", "!!timestamp":
		return node.Value, nil
	default:
		return nil, &nodeError{node, fmt.Sprintf("values of the kind %s are not allowed here", node.Tag)}
	}
}

// nodeError is a problem whose file is not known yet.
type nodeError struct {
	node    *yaml.Node
	message string
}

func (e *nodeError) Error() string { return e.message }

// valueIn is value with the problem placed in file.
func (s *source) valueIn(file string, node *yaml.Node) (any, *Problem) {
	v, err := value(node)
	if e := (*nodeError)(nil); errors.As(err, &e) {
		return nil, s.at(file, e.node.Line, e.node.Column, "%s", e.message)
	}
	return v, nil
}

// flag makes a reader of true or false into target.
func (s *source) flag(file, what string, target *bool) func(*yaml.Node) *Problem {
	return func(node *yaml.Node) *Problem {
		if node.Kind != yaml.ScalarNode || node.Decode(target) != nil {
			return s.at(file, node.Line, node.Column, "%s must be true or false", what)
		}
		return nil
	}
}
