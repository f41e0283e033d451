package config

import (
	"encoding"
	"fmt"
	"reflect"
	"sync"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// kind is what a value looks like in YAML.
type kind int

const (
	object  kind = iota // a mapping with known keys
	dict                // a mapping with any keys
	list                // a sequence
	text                // one of words, or in a notation, or any text
	boolean             // true or false
	integer
	number
	free // anything
)

// shape describes what may be written for a value of one Go type. It is what decoder, overrides, schema and
// reference have in common.
type shape struct {
	kind   kind
	typ    reflect.Type
	fields []*field // of an object
	elem   *shape   // of a list or dict
	short  *field   // the field that a value which is no mapping stands for
	one    bool     // exactly one of the fields must be given
	words  []string // of a text: the only values
	parsed bool     // the text is read by UnmarshalText
}

// field is one key of an object.
type field struct {
	key      string
	index    []int
	shape    *shape
	doc      string
	example  string
	fallback string // the default in words, where it depends on something
	format   string
	required bool
}

// root is the shape of the whole configuration.
var root = sync.OnceValue(func() *shape { return shapeOf(reflect.TypeFor[Config]()) })

func shapeOf(t reflect.Type) *shape {
	if t.Kind() == reflect.Pointer {
		return shapeOf(t.Elem())
	}
	s := &shape{typ: t, words: words[t]}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		s.kind, s.parsed = text, true
		return s
	}
	switch t.Kind() {
	case reflect.Struct:
		s.kind = object
		s.addFields(t)
	case reflect.Map:
		s.kind, s.elem = dict, shapeOf(t.Elem())
	case reflect.Slice:
		s.kind, s.elem = list, shapeOf(t.Elem())
	case reflect.String:
		s.kind = text
	case reflect.Bool:
		s.kind = boolean
	case reflect.Int, reflect.Int64:
		s.kind = integer
	case reflect.Float64:
		s.kind = number
	case reflect.Interface:
		s.kind = free
	default:
		panic(fmt.Sprintf("config: no way to write a %s", t))
	}
	return s
}

func (s *shape) addFields(t reflect.Type) {
	short := ""
	for f := range t.Fields() {
		if f.Name == "_" {
			short, s.one = f.Tag.Get("short"), f.Tag.Get("one") == "true"
			continue
		}
		key := f.Tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		s.fields = append(s.fields, &field{
			key: key, index: f.Index, shape: shapeOf(f.Type),
			doc: f.Tag.Get("doc"), example: f.Tag.Get("example"), fallback: f.Tag.Get("default"),
			format: f.Tag.Get("format"), required: f.Tag.Get("required") == "true",
		})
	}
	if short != "" {
		s.short = s.field(short)
	}
}

// field is the field with that key, or nil.
func (s *shape) field(key string) *field {
	for _, f := range s.fields {
		if f.key == key {
			return f
		}
	}
	return nil
}

func (s *shape) keys() []string {
	var keys []string
	for _, f := range s.fields {
		keys = append(keys, f.key)
	}
	return keys
}

// article names what may be written, for messages: "a list", "one of …".
func (s *shape) article() string {
	switch s.kind {
	case object, dict:
		return "a mapping (key: value)"
	case list:
		return "a list"
	case boolean:
		return "true or false"
	case integer:
		return "a whole number"
	case number:
		return "a number"
	case text:
		if n, known := notations[s.typ]; known {
			return "a " + n.name + " (" + n.example + ")"
		}
		return "a text"
	default:
		return "a value"
	}
}

// scalar says whether the value is written as one word.
func (s *shape) scalar() bool { return s.kind >= text && s.kind <= number }

// secret says that the value tells where a secret is.
func (s *shape) secret() bool {
	return s.typ == reflect.TypeFor[secret.Ref]() || s.typ == reflect.TypeFor[PullSecret]() || s.typ == reflect.TypeFor[SigningKey]()
}

// inner is the shape of what a collection holds; anything holds anything.
func (s *shape) inner() *shape {
	if s.elem == nil {
		return s
	}
	return s.elem
}
