package config

import (
	"encoding"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print writes the configuration as YAML that Load would read back to the same values. With origins, each value
// carries a comment that says where it comes from. Secrets are references, and only those are written.
func (c *Config) Print(w io.Writer, origins bool) error {
	tree := encode(root(), reflect.ValueOf(*c))
	if origins {
		c.comment(tree, root(), "")
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(tree); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return e.Close()
}

// encode is v as YAML nodes.
func encode(s *shape, v reflect.Value) *yaml.Node {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	switch s.kind {
	case object:
		made := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range s.fields {
			value := v.FieldByIndex(f.index)
			if value.Kind() == reflect.Pointer && value.IsNil() {
				continue
			}
			if f.shape.kind == text && value.Kind() == reflect.String && value.IsZero() {
				continue // an empty text says nothing, and an empty reference is none; no time and no size are said
			}
			made.Content = append(made.Content, scalarNode("!!str", f.key), encode(f.shape, value))
		}
		return made
	case dict:
		made := &yaml.Node{Kind: yaml.MappingNode}
		keys := slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			made.Content = append(made.Content, scalarNode("!!str", key.String()), encode(s.elem, v.MapIndex(key)))
		}
		return flowIfEmpty(made)
	case list:
		made := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			made.Content = append(made.Content, encode(s.elem, v.Index(i)))
		}
		if s.elem.scalar() {
			made.Style = yaml.FlowStyle
		}
		return flowIfEmpty(made)
	case free:
		return encodeFree(v.Interface())
	case text:
		if m, ok := v.Interface().(encoding.TextMarshaler); ok {
			if body, err := m.MarshalText(); err == nil {
				return scalarNode("", string(body))
			}
		}
		if s.parsed {
			return scalarNode("", v.String())
		}
		return scalarNode("!!str", v.String())
	case boolean:
		return scalarNode("!!bool", strconv.FormatBool(v.Bool()))
	case integer:
		return scalarNode("!!int", strconv.FormatInt(v.Int(), 10))
	default:
		return scalarNode("", strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
}

func encodeFree(value any) *yaml.Node {
	switch value := value.(type) {
	case map[string]any:
		made := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			made.Content = append(made.Content, scalarNode("!!str", key), encodeFree(value[key]))
		}
		return flowIfEmpty(made)
	case []any:
		made := &yaml.Node{Kind: yaml.SequenceNode}
		made.Style = yaml.FlowStyle
		for _, item := range value {
			inner := encodeFree(item)
			if inner.Kind != yaml.ScalarNode {
				made.Style = 0
			}
			made.Content = append(made.Content, inner)
		}
		return flowIfEmpty(made)
	default:
		var made yaml.Node
		if err := made.Encode(value); err != nil {
			return scalarNode("!!str", fmt.Sprint(value))
		}
		return &made
	}
}

func scalarNode(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func flowIfEmpty(n *yaml.Node) *yaml.Node {
	if len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

// comment writes beside every value where it comes from.
func (c *Config) comment(n *yaml.Node, s *shape, path string) {
	switch {
	case n.Kind == yaml.MappingNode && s.kind == object:
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.comment(n.Content[i+1], s.field(n.Content[i].Value).shape, join(path, n.Content[i].Value))
		}
	case n.Kind == yaml.MappingNode && len(n.Content) > 0:
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.comment(n.Content[i+1], s.inner(), path+"["+strconv.Quote(n.Content[i].Value)+"]")
		}
	case n.Kind == yaml.SequenceNode && n.Style != yaml.FlowStyle:
		for i, item := range n.Content {
			c.comment(item, s.inner(), fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		n.LineComment = c.Origin(path)
	}
}

// Origin says where the value at path comes from: "hallmark.yaml:7", "environment HALLMARK_…", "--set …" or "default".
func (c *Config) Origin(path string) string {
	for {
		if origin, ok := c.origins[path]; ok && path != "" {
			return origin
		}
		// A list or mapping that was written as a whole decides what stands in it.
		cut := strings.LastIndexAny(path, "[")
		if cut <= 0 || strings.Contains(path[cut:], "].") {
			return "default"
		}
		path = path[:cut]
	}
}
