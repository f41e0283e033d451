package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Prefix begins the name of every environment variable that sets a field.
const Prefix = "HALLMARK_"

// EnvName is the environment variable that sets the field at path: scan.fail_on is HALLMARK_SCAN_FAIL_ON.
func EnvName(path string) string {
	return Prefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(path))
}

// leaf is a field that the environment can set: one that stands below no list and no free keys.
type leaf struct {
	path  string
	field *field
}

func leaves(s *shape, path string) []leaf {
	var all []leaf
	for _, f := range s.fields {
		at := join(path, f.key)
		if f.shape.kind == object {
			all = append(all, leaves(f.shape, at)...)
		} else {
			all = append(all, leaf{at, f})
		}
	}
	return all
}

// environment puts what env says above the file. An empty variable says nothing: CI systems set those for inputs
// that nobody filled in.
func (d *decoder) environment(tree *yaml.Node, env []string) {
	values := environ(env)
	if value := values["SOURCE_DATE_EPOCH"]; value != "" && child(child(tree, "build"), "source_date_epoch") == nil {
		d.override(tree, "build.source_date_epoch", value, "environment SOURCE_DATE_EPOCH")
	}
	for _, l := range leaves(root(), "") {
		if name := EnvName(l.path); values[name] != "" {
			d.override(tree, l.path, values[name], "environment "+name)
		}
	}
}

func environ(env []string) map[string]string {
	values := map[string]string{}
	for _, entry := range env {
		if name, value, found := strings.Cut(entry, "="); found {
			values[name] = value
		}
	}
	return values
}

// credential are the variables that open one registry without a line in the file; package registry reads them.
var credential = []string{"HALLMARK_REGISTRY_HOST", "HALLMARK_REGISTRY_USERNAME", "HALLMARK_REGISTRY_PASSWORD", "HALLMARK_REGISTRY_TOKEN"}

// strays tells of variables that look as if they set a field and do not. A variable that a reference names, such as
// env:HALLMARK_SIGN_KEY_PASSWORD, holds a secret and is none.
func (d *decoder) strays(cfg *Config, env []string) {
	known, sections := slices.Clone(credential), []string{}
	for _, l := range leaves(root(), "") {
		known = append(known, EnvName(l.path))
	}
	for _, f := range root().fields {
		sections = append(sections, EnvName(f.key)+"_")
	}
	refs := cfg.references()
	for name, value := range environ(env) {
		section := slices.IndexFunc(sections, func(s string) bool { return strings.HasPrefix(name, s) })
		if section < 0 || value == "" || slices.Contains(known, name) || refs["env:"+name] {
			continue
		}
		hint := "lists with numbers and keys of one's own are reached with --set"
		if near := nearest(name, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		d.problems = append(d.problems, Problem{Source: "environment " + short(name), Message: "sets no field of the configuration", Hint: hint})
	}
}

// flags puts what sets say above file and environment, in their order.
func (d *decoder) flags(tree *yaml.Node, sets []string) {
	for _, set := range sets {
		path, value, found := strings.Cut(set, "=")
		if !found || path == "" {
			d.problems = append(d.problems, Problem{Source: "--set " + short(set), Message: "has no =", Hint: "write --set scan.fail_on=high"})
			continue
		}
		d.override(tree, path, value, "--set "+path)
	}
}

// Has says whether path begins with a field of the configuration, whatever may be wrong with the rest of it.
func Has(path string) bool {
	steps, err := split(path)
	return err != nil || len(steps) > 0 && root().field(steps[0]) != nil
}

// override writes value at path, creating what is missing on the way.
func (d *decoder) override(tree *yaml.Node, path, value, origin string) {
	refuse := func(format string, args ...any) {
		d.problems = append(d.problems, Problem{Source: short(origin), Message: short(fmt.Sprintf(format, args...))})
	}
	steps, err := split(path)
	if err != nil {
		refuse("%v", err)
		return
	}
	at, s, defaults := tree, root(), reflect.ValueOf(Defaults())
	for i, step := range steps {
		if s.short != nil && at.Kind != yaml.MappingNode && at.Kind != 0 {
			inner := *at
			*at = yaml.Node{Kind: yaml.MappingNode, Line: inner.Line, Column: inner.Column, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: s.short.key}, &inner}}
		}
		switch s.kind {
		case object:
			f := s.field(step)
			if f == nil {
				refuse("there is no field %s.%s", strings.Join(steps[:i+1], "."), suggestion(step, s))
				return
			}
			at, s = enter(at, step, yaml.MappingNode), f.shape
			if defaults.IsValid() {
				defaults = defaults.FieldByIndex(f.index)
			}
		case dict, free:
			if s.kind == dict && s.elem.scalar() {
				step = strings.Join(steps[i:], ".") // keys such as org.opencontainers.image.source
				steps = steps[:i+1]
			}
			at, defaults = enter(at, step, yaml.MappingNode), reflect.Value{}
			if s.kind == dict {
				s = s.elem
			}
		case list:
			if at.Kind == 0 && defaults.IsValid() {
				*at = *encode(s, defaults)
				d.mark(at, "default")
			}
			index, err := strconv.Atoi(step)
			if err != nil || index < 0 || index > len(at.Content) {
				refuse("%q is not an index of the list, which has %d elements; the next one is %d", step, len(at.Content), len(at.Content))
				return
			}
			own(at, yaml.SequenceNode)
			if index == len(at.Content) {
				at.Content = append(at.Content, &yaml.Node{})
			} else {
				copied := *at.Content[index]
				at.Content[index] = &copied
			}
			at, s, defaults = at.Content[index], s.elem, reflect.Value{}
		default:
			refuse("%s holds %s, nothing below it", strings.Join(steps[:i], "."), s.article())
			return
		}
		if i == len(steps)-1 {
			break
		}
	}
	made, err := valueNode(s, value)
	if err != nil {
		refuse("is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	*at = *made
	d.mark(at, origin)
}

func suggestion(key string, s *shape) string {
	if near := nearest(key, s.keys()); near != "" {
		return " Did you mean " + near + "?"
	}
	return " Known are " + listed(s.keys())
}

// enter returns the value under key, made where it is missing. The way to it is copied, so that what an alias points
// to stays what it was.
func enter(at *yaml.Node, key string, k yaml.Kind) *yaml.Node {
	own(at, k)
	for i := 0; i+1 < len(at.Content); i += 2 {
		if at.Content[i].Value == key {
			copied := *at.Content[i+1]
			at.Content[i+1] = &copied
			return &copied
		}
	}
	value := &yaml.Node{}
	at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
	return value
}

// own makes at a collection of its own: no alias, its own list of children.
func own(at *yaml.Node, k yaml.Kind) {
	for at.Kind == yaml.AliasNode {
		*at = *at.Alias
	}
	if at.Kind != k {
		*at = yaml.Node{Kind: k, Line: at.Line, Column: at.Column}
	}
	at.Anchor = ""
	at.Content = slices.Clone(at.Content)
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// mark notes where n and everything in it comes from.
func (d *decoder) mark(n *yaml.Node, origin string) {
	d.source.overrides[n] = origin
	for _, inner := range n.Content {
		d.mark(inner, origin)
	}
}

// valueNode is text as YAML would hold it for a value of that shape: words as they are, lists also as a,b,c.
func valueNode(s *shape, text string) (*yaml.Node, error) {
	switch {
	case s.kind == 0 && s.short != nil && s.short.shape.kind == integer, s.kind == integer, s.kind == number, s.kind == boolean:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: text}, nil
	case s.scalar():
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}, nil
	case s.kind == list && s.elem.scalar() && !strings.HasPrefix(strings.TrimSpace(text), "["):
		made := &yaml.Node{Kind: yaml.SequenceNode}
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				made.Content = append(made.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: word})
			}
		}
		return made, nil
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%w: longer than 1 MiB", verdict.ErrUsage)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	}
	return doc.Content[0], nil
}

// split cuts launch[0].limits.memory and registry.auth["reg.example.com"].username into their steps.
func split(path string) ([]string, error) {
	var steps []string
	rest := path
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, "["):
			if strings.HasPrefix(rest, `["`) {
				quoted, err := strconv.QuotedPrefix(rest[1:])
				if err != nil || !strings.HasPrefix(rest[1+len(quoted):], "]") {
					return nil, fmt.Errorf("the quote or bracket is not closed")
				}
				key, _ := strconv.Unquote(quoted)
				steps, rest = append(steps, key), rest[len(quoted)+2:]
				break
			}
			index, after, found := strings.Cut(rest[1:], "]")
			if !found {
				return nil, fmt.Errorf("the bracket is not closed")
			}
			steps, rest = append(steps, index), after
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("there is a dot with nothing before it")
			}
			steps, rest = append(steps, rest[:end]), rest[end:]
		}
		if strings.HasPrefix(rest, ".") {
			if rest = rest[1:]; rest == "" {
				return nil, fmt.Errorf("there is a dot with nothing after it")
			}
		}
	}
	if len(steps) > maxDepth {
		return nil, fmt.Errorf("the path has more than %d parts", maxDepth)
	}
	return steps, nil
}
