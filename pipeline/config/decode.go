package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Bounds on what a configuration may hold. Aliases count each time they are used, so that a few lines cannot stand
// for billions of values.
const (
	maxFile   = 1 << 20
	maxValues = 20_000
	maxDepth  = 32
)

// decoder turns YAML nodes into a Config and keeps what is wrong.
type decoder struct {
	source   *source
	problems []Problem
	more     int
	values   int
	full     bool                  // maxValues is exceeded and told
	nodes    map[string]*yaml.Node // path -> value, of everything that was written
	keys     map[string]*yaml.Node // path -> its key
	secrets  []string              // literals found where references belong
}

func newDecoder(s *source) *decoder {
	return &decoder{source: s, nodes: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{}}
}

// decode reads n into v, which holds the defaults.
func (d *decoder) decode(path string, n *yaml.Node, s *shape, v reflect.Value, depth int) {
	if d.values++; d.values > maxValues || depth > maxDepth {
		if !d.full {
			d.full = true
			d.problem(n, path, fmt.Sprintf("the configuration holds more than %d values, or more than %d inside each other", maxValues, maxDepth),
				"look for an alias (*name) that contains itself, or many others")
		}
		return
	}
	d.nodes[path] = n
	if n.Kind == yaml.AliasNode {
		d.decode(path, n.Alias, s, v, depth+1)
		return
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		d.problem(n, path, fmt.Sprintf("the tag %s means nothing here", n.Tag), "leave it out")
		return
	}
	if v.Kind() == reflect.Pointer {
		made := reflect.New(v.Type().Elem())
		d.decode(path, n, s, made.Elem(), depth+1)
		v.Set(made)
		return
	}
	if given, known := partDefaults[s.typ]; known {
		v.Set(reflect.ValueOf(given))
	}
	if s.short != nil && n.Kind != yaml.MappingNode {
		d.decode(path, n, s.short.shape, v.FieldByIndex(s.short.index), depth+1)
		d.nodes[join(path, s.short.key)] = n
		return
	}
	switch s.kind {
	case object:
		d.object(path, n, s, v, depth)
	case dict:
		d.dict(path, n, s, v, depth)
	case list:
		d.list(path, n, s, v, depth)
	case free:
		d.free(path, n, v, depth)
	default:
		d.scalar(path, n, s, v)
	}
}

// mapping calls each for every key of n and tells of keys that are no plain words, or stand there twice.
func (d *decoder) mapping(path string, n *yaml.Node, s *shape, each func(key string, k, value *yaml.Node)) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return // "scan:" with everything below it commented out says nothing
	}
	if n.Kind != yaml.MappingNode {
		d.mismatch(path, n, s)
		return
	}
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind == yaml.ScalarNode && k.Value == "<<" && k.ShortTag() == "!!merge":
			d.problem(k, path, "merge keys (<<) are not understood", "use an alias for the whole value, or write the fields out")
		case k.Kind != yaml.ScalarNode || k.Value == "" || len(k.Value) > 256:
			d.problem(k, path, "a key must be one word of at most 256 characters", "")
		case first[k.Value] != nil:
			d.problem(k, join(path, k.Value), fmt.Sprintf("stands here for the second time; the first is in line %d", first[k.Value].Line), "keep one of them")
		default:
			first[k.Value] = k
			each(k.Value, k, value)
		}
	}
}

func (d *decoder) object(path string, n *yaml.Node, s *shape, v reflect.Value, depth int) {
	seen := 0
	d.mapping(path, n, s, func(key string, k, value *yaml.Node) {
		f := s.field(key)
		seen++
		if f == nil {
			d.unknown(path, key, k, value, s)
			return
		}
		at := join(path, key)
		d.keys[at] = k
		d.decode(at, value, f.shape, v.FieldByIndex(f.index), depth+1)
	})
	if n.Kind != yaml.MappingNode {
		return
	}
	if s.one && seen != 1 {
		d.problem(n, path, fmt.Sprintf("wants exactly one of %s, not %d of them", listed(s.keys()), seen), "write each as its own element of the list")
	}
	for _, f := range s.fields {
		if f.required && d.nodes[join(path, f.key)] == nil && !has(n, f.key) {
			d.problem(n, path, fmt.Sprintf("%s is missing", f.key), "for example "+f.key+": "+f.sample())
		}
	}
}

func has(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

func (d *decoder) dict(path string, n *yaml.Node, s *shape, v reflect.Value, depth int) {
	made := reflect.MakeMap(s.typ)
	d.mapping(path, n, s, func(key string, k, value *yaml.Node) {
		at := path + "[" + strconv.Quote(key) + "]"
		d.keys[at] = k
		elem := reflect.New(s.typ.Elem()).Elem()
		d.decode(at, value, s.elem, elem, depth+1)
		made.SetMapIndex(reflect.ValueOf(key), elem)
	})
	if n.Kind == yaml.MappingNode {
		v.Set(made)
	}
}

func (d *decoder) list(path string, n *yaml.Node, s *shape, v reflect.Value, depth int) {
	if n.Kind != yaml.SequenceNode {
		d.mismatch(path, n, s)
		return
	}
	made := reflect.MakeSlice(s.typ, len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.decode(fmt.Sprintf("%s[%d]", path, i), item, s.elem, made.Index(i), depth+1)
	}
	v.Set(made)
}

// free reads anything, counting it.
func (d *decoder) free(path string, n *yaml.Node, v reflect.Value, depth int) {
	switch n.Kind {
	case yaml.MappingNode:
		made := map[string]any{}
		d.mapping(path, n, root(), func(key string, _, value *yaml.Node) {
			var elem any
			d.decode(path+"["+strconv.Quote(key)+"]", value, &shape{kind: free}, reflect.ValueOf(&elem).Elem(), depth+1)
			made[key] = elem
		})
		v.Set(reflect.ValueOf(made))
	case yaml.SequenceNode:
		made := make([]any, len(n.Content))
		for i, item := range n.Content {
			d.decode(fmt.Sprintf("%s[%d]", path, i), item, &shape{kind: free}, reflect.ValueOf(&made[i]).Elem(), depth+1)
		}
		v.Set(reflect.ValueOf(made))
	default:
		var value any
		if err := n.Decode(&value); err != nil {
			d.problem(n, path, "cannot be read: "+err.Error(), "")
			return
		}
		if _, ok := value.(fmt.Stringer); ok { // a date: packs compare texts
			value = n.Value
		}
		if value != nil {
			v.Set(reflect.ValueOf(value))
		}
	}
}

func (d *decoder) scalar(path string, n *yaml.Node, s *shape, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.mismatch(path, n, s)
		return
	}
	if n.ShortTag() == "!!null" {
		d.problem(n, path, "has no value", "give it one, or leave the line out")
		return
	}
	var err error
	switch {
	case s.parsed:
		err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value))
	case s.typ == reflect.TypeFor[secret.Ref]():
		v.SetString(n.Value)
		if err = secret.Ref(n.Value).Check(); err != nil {
			err = errors.New(verdict.Plain(err))
			d.conceal(n)
		}
	case s.typ == reflect.TypeFor[SigningKey]():
		v.SetString(n.Value)
		if err = SigningKey(n.Value).check(); err != nil {
			d.conceal(n)
		}
	case s.typ == reflect.TypeFor[PullSecret]():
		v.SetString(n.Value)
		if err = PullSecret(n.Value).check(); err != nil {
			d.conceal(n)
		}
	case s.words != nil:
		err = d.word(n.Value, s, v)
	case s.kind == text:
		v.SetString(n.Value) // as written: 3.10 stays 3.10
	default:
		err = plainScalar(n, s, v)
	}
	if err != nil {
		hint := ""
		if h := (withHint{}); errors.As(err, &h) {
			hint = h.hint
		}
		d.problem(n, path, err.Error(), hint)
	}
}

func (d *decoder) word(value string, s *shape, v reflect.Value) error {
	for _, word := range s.words {
		if value == word {
			v.SetString(value)
			return nil
		}
	}
	err := fmt.Errorf("%q is none of %s", value, listed(s.words))
	if len(s.words) == 1 {
		err = fmt.Errorf("%q is not known; there is %s so far", value, s.words[0])
	}
	if near := nearest(value, s.words); near != "" {
		return hinted(err, "did you mean "+near+"?")
	}
	return err
}

func plainScalar(n *yaml.Node, s *shape, v reflect.Value) error {
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	switch s.kind {
	case boolean:
		if value, err := strconv.ParseBool(n.Value); err == nil && !quoted && (n.Value == "true" || n.Value == "false") {
			v.SetBool(value)
			return nil
		}
		err := fmt.Errorf("%q is neither true nor false", n.Value)
		switch strings.ToLower(n.Value) {
		case "yes", "on", "y", "1", "true":
			return hinted(err, "write true")
		case "no", "off", "n", "0", "false":
			return hinted(err, "write false")
		}
		return err
	case integer:
		value, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
		if err != nil || quoted {
			return fmt.Errorf("%q is not a whole number", n.Value)
		}
		v.SetInt(value)
	default:
		value, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || quoted || value != value || value > 1e15 || value < -1e15 {
			return fmt.Errorf("%q is not a number", n.Value)
		}
		v.SetFloat(value)
	}
	return nil
}

// mismatch tells that n is of the wrong sort.
func (d *decoder) mismatch(path string, n *yaml.Node, s *shape) {
	got := "one word"
	switch {
	case n.Kind == yaml.MappingNode:
		got = "a mapping"
	case n.Kind == yaml.SequenceNode:
		got = "a list"
	case n.ShortTag() == "!!null":
		got = "nothing"
	}
	hint := ""
	switch {
	case s.kind == list && got == "one word" && s.elem.scalar():
		hint = "write [" + n.Value + "]"
	case s.kind == list && got == "nothing":
		hint = "write [] for none, or leave the line out"
	case s.kind == list && got == "a mapping":
		hint = "put a dash before it"
	}
	if s.secret() {
		hint = "a secret is given by reference: env:NAME or file:PATH"
		if s.typ == reflect.TypeFor[PullSecret]() {
			hint = "put quotes around it: '{{secrets/SCOPE/KEY}}'; or write env:NAME or file:PATH"
		}
		d.conceal(n)
	}
	d.problem(n, path, "wants "+s.article()+", not "+got, hint)
}

// conceal hides every word in n from whatever is shown from now on: one of them may be a secret.
func (d *decoder) conceal(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Value != "" {
		d.secrets = append(d.secrets, n.Value)
		secret.Mask(n.Value)
	}
	for _, inner := range n.Content {
		d.conceal(inner)
	}
}

// unknown tells of a key that is not understood.
func (d *decoder) unknown(path, key string, k, value *yaml.Node, s *shape) {
	for _, f := range s.fields {
		if f.shape.secret() {
			d.conceal(value) // what was meant may have been a secret
		}
	}
	hint := ""
	if near := nearest(key, s.keys()); near != "" {
		hint = "did you mean " + near + "?"
	} else if other := elsewhere(root(), key, ""); other != "" {
		hint = "there is " + other
	} else {
		hint = "known are " + listed(s.keys())
	}
	where := "there is no such field"
	if path != "" {
		where = path + " has no such field"
	}
	d.problem(k, "", fmt.Sprintf("%q: %s", key, where), hint)
}

// listed is a, b, c.
func listed(all []string) string { return strings.Join(all, ", ") }

// sample is something that may be written for the field.
func (f *field) sample() string {
	switch n, known := notations[f.shape.typ]; {
	case f.example != "":
		return f.example
	case known:
		return n.example
	case len(f.shape.words) > 0:
		return f.shape.words[0]
	default:
		return "…"
	}
}
