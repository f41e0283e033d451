package check

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Type is what values a parameter takes.
type Type string

// The types of parameters, as pack.yaml and configurations write them.
const (
	TypeString   Type = "string"
	TypeInteger  Type = "integer"
	TypeBoolean  Type = "boolean"
	TypeStrings  Type = "strings"  // a list of texts
	TypeIntegers Type = "integers" // a list of whole numbers
	TypeDuration Type = "duration" // a text such as 168h or 30m
)

var types = []Type{TypeString, TypeInteger, TypeBoolean, TypeStrings, TypeIntegers, TypeDuration}

// Param is a knob of a pack: rules read it as input.params.<name>.
type Param struct {
	Name    string
	Type    Type
	Default any // nil where it is required
	Doc     string
	// Required says that there is no default: whoever asks the pack must give a value. Example is one such value.
	Required bool
	Example  any
	// From names another pack whose parameter of this name counts where this pack is given none.
	From string
}

// failOn is a parameter that every pack has without saying so: the severity from which its findings block.
const failOn = "fail_on"

var failOnParam = Param{
	Name: failOn, Type: TypeString, Default: string(verdict.Medium),
	Doc: "Findings of this severity and above block; those below are advice. low, medium, high or critical.",
}

func (s *source) readParams(node *yaml.Node, m *manifest) *Problem {
	if node.Kind != yaml.MappingNode {
		return s.at(manifestName, node.Line, node.Column, "params must be a mapping of names to {type, default, doc}")
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if !ruleName.MatchString(key.Value) || key.Value == failOn {
			return s.at(manifestName, key.Line, key.Column, "a parameter cannot be called %q", foreign.Spelled(key.Value))
		}
		if slices.ContainsFunc(m.params, func(p Param) bool { return p.Name == key.Value }) {
			return s.at(manifestName, key.Line, key.Column, "the parameter %s stands here twice", key.Value)
		}
		param, p := s.readParam(key, node.Content[i+1])
		if p != nil {
			return p
		}
		m.params = append(m.params, param)
	}
	return nil
}

func (s *source) readParam(key, node *yaml.Node) (Param, *Problem) {
	param := Param{Name: key.Value}
	what := "the parameter " + key.Value
	var given string
	var defaultNode, exampleNode *yaml.Node
	p := s.mapping(manifestName, node, what, map[string]func(*yaml.Node) *Problem{
		"type":     s.text(manifestName, "type", &given),
		"doc":      s.text(manifestName, "doc", &param.Doc),
		"default":  func(n *yaml.Node) *Problem { defaultNode = n; return nil },
		"example":  func(n *yaml.Node) *Problem { exampleNode = n; return nil },
		"required": s.flag(manifestName, "required", &param.Required),
		"from":     s.text(manifestName, "from", &param.From),
	})
	switch {
	case p != nil:
		return param, p
	case !slices.Contains(types, Type(given)):
		return param, s.at(manifestName, key.Line, key.Column, "%s must have a type: %s", what, joinTypes())
	case param.Required && (defaultNode != nil || exampleNode == nil):
		return param, s.at(manifestName, key.Line, key.Column, "%s is required, so it must have an example and no default", what)
	case !param.Required && exampleNode != nil:
		return param, s.at(manifestName, key.Line, key.Column, "%s must have a default and no example: examples are for those that are required", what)
	case !param.Required && defaultNode == nil:
		return param, s.at(manifestName, key.Line, key.Column, "%s must have a default", what)
	case param.Doc == "":
		return param, s.at(manifestName, key.Line, key.Column, "%s must have a doc: one sentence that says what it changes", what)
	}
	param.Type = Type(given)
	if param.Required {
		param.Example, p = s.fitted(param, exampleNode, "example")
	} else {
		param.Default, p = s.fitted(param, defaultNode, "default")
	}
	return param, p
}

// fitted is the value that a node of the manifest holds for a parameter.
func (s *source) fitted(param Param, node *yaml.Node, word string) (any, *Problem) {
	v, p := s.valueIn(manifestName, node)
	if p != nil {
		return nil, p
	}
	fitted, err := param.fit(v)
	if err != nil {
		return nil, s.at(manifestName, node.Line, node.Column, "the %s of the parameter %s: %s", word, param.Name, err)
	}
	return fitted, nil
}

func joinTypes() string {
	names := make([]string, 0, len(types))
	for _, t := range types {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// fit returns v as the parameter's type, or says why it is none. It takes what YAML and JSON decoders produce.
func (p Param) fit(v any) (any, error) {
	switch p.Type {
	case TypeString:
		if text, ok := v.(string); ok {
			return text, nil
		}
		if number, ok := v.(float64); ok { // what YAML makes of 16.4; 3.10 would have become 3.1
			return nil, fmt.Errorf("%v is a number, and a text is wanted: put it in quotes, as in \"%v\"", number, number)
		}
	case TypeDuration:
		text, ok := v.(string)
		if !ok {
			break
		}
		if d, err := time.ParseDuration(text); err != nil || d < 0 {
			return nil, fmt.Errorf("%q is no duration such as 168h or 30m", text)
		}
		return text, nil
	case TypeBoolean:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case TypeInteger:
		if n, ok := integer(v); ok {
			return n, nil
		}
	case TypeStrings:
		return list(v, p.Type, func(e any) (any, bool) { s, ok := e.(string); return s, ok })
	case TypeIntegers:
		return list(v, p.Type, func(e any) (any, bool) { return integer(e) })
	}
	return nil, fmt.Errorf("%v is not of the type %s", v, p.Type)
}

func integer(v any) (any, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(n), n < 1<<53 //nolint:gosec // bounded here
	case float64:
		return int64(n), n == float64(int64(n)) && n < 1<<53 && n > -(1<<53)
	default:
		return nil, false
	}
}

func list(v any, t Type, item func(any) (any, bool)) (any, error) {
	var items []any
	switch l := v.(type) {
	case []any:
		items = l
	case []string:
		for _, e := range l {
			items = append(items, e)
		}
	case []int:
		for _, e := range l {
			items = append(items, e)
		}
	default:
		return nil, fmt.Errorf("%v is not of the type %s: write a list", v, t)
	}
	out := make([]any, 0, len(items))
	for _, e := range items {
		fitted, ok := item(e)
		if !ok {
			return nil, fmt.Errorf("the list holds %v, so it is not of the type %s", e, t)
		}
		out = append(out, fitted)
	}
	return out, nil
}

// settings returns the pack's parameters with the user's values in place of defaults, and the blocking severity.
func (p *Pack) settings(given map[string]any, floor verdict.Severity) (map[string]any, verdict.Severity, error) {
	all := append(slices.Clone(p.Params), failOnParam)
	out := make(map[string]any, len(all))
	names := make([]string, 0, len(all))
	for _, param := range all {
		out[param.Name] = param.Default
		names = append(names, param.Name)
	}
	if floor == "" {
		floor = verdict.Medium
	}
	out[failOn] = string(floor)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(all, func(param Param) bool { return param.Name == name })
		if i < 0 {
			return nil, "", fmt.Errorf("%w: the pack %s has no parameter %q. %s", verdict.ErrUsage, p.Name, name, didYouMean(name, names))
		}
		fitted, err := all[i].fit(given[name])
		if err != nil {
			return nil, "", fmt.Errorf("%w: the parameter %s of the pack %s: %w", verdict.ErrUsage, name, p.Name, err)
		}
		out[name] = fitted
	}
	for _, param := range all {
		if param.Required && out[param.Name] == nil {
			return nil, "", p.missing(param)
		}
	}
	floor, err := verdict.ParseSeverity(out[failOn].(string)) //nolint:forcetypeassert // fitted to a string above
	if err != nil || floor == verdict.Unknown {
		return nil, "", fmt.Errorf("%w: %s of the pack %s must be low, medium, high or critical, not %q", verdict.ErrUsage, failOn, p.Name, out[failOn])
	}
	out[failOn] = string(floor)
	return out, floor, nil
}

// defaults are the parameters as the pack's own tests see them.
func (p *Pack) defaults() map[string]any {
	out := map[string]any{failOn: failOnParam.Default}
	for _, param := range p.Params {
		out[param.Name] = param.Default
		if param.Required {
			out[param.Name] = param.Example
		}
	}
	return out
}

func (p *Pack) missing(param Param) error {
	given := fmt.Sprintf("%v", param.Example)
	if param.Type == TypeString {
		given = fmt.Sprintf("%q", param.Example)
	}
	return fmt.Errorf("%w: the pack %s must be told its parameter %s: %s Write check: {params: {%s: {%s: %s}}} in hallmark.yaml, or give hallmark check --set %s=%v",
		verdict.ErrUsage, p.Name, param.Name, param.Doc, p.Name, param.Name, given, param.Name, param.Example)
}

// written is the value that text stands for: words as they are, lists as a,b,c.
func (p Param) written(text string) (any, error) {
	switch p.Type {
	case TypeBoolean:
		if b, err := strconv.ParseBool(text); err == nil {
			return b, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", text)
	case TypeInteger:
		return wholeNumber(text)
	case TypeStrings, TypeIntegers:
		list := []any{}
		for word := range strings.SplitSeq(text, ",") {
			word = strings.TrimSpace(word)
			if word == "" {
				continue
			}
			if p.Type == TypeStrings {
				list = append(list, word)
				continue
			}
			n, err := wholeNumber(word)
			if err != nil {
				return nil, err
			}
			list = append(list, n)
		}
		return list, nil
	default:
		return p.fit(text)
	}
}

func wholeNumber(text string) (any, error) {
	n, err := strconv.ParseInt(text, 10, 53)
	if err != nil {
		return nil, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}
