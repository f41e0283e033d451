package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"testing"
)

// xsd is what of XML Schema is needed to hold a JUnit report against the schema of Jenkins' plugin. What it does not
// know in a schema it refuses, so that no rule of one is passed over.
type xsd struct {
	XMLName  xml.Name      `xml:"schema"`
	Elements []*xsdElement `xml:"element"`
	Complex  []*xsdComplex `xml:"complexType"`
	Simple   []struct {
		Name        string `xml:"name,attr"`
		Restriction struct {
			Base     string `xml:"base,attr"`
			Patterns []struct {
				Value string `xml:"value,attr"`
			} `xml:"pattern"`
			Rest []xsdUnknown `xml:",any"`
		} `xml:"restriction"`
		Rest []xsdUnknown `xml:",any"`
	} `xml:"simpleType"`
	Rest []xsdUnknown `xml:",any"`
}

type xsdUnknown struct{ XMLName xml.Name }

type xsdElement struct {
	Name    string       `xml:"name,attr"`
	Ref     string       `xml:"ref,attr"`
	Type    string       `xml:"type,attr"`
	Min     string       `xml:"minOccurs,attr"`
	Max     string       `xml:"maxOccurs,attr"`
	Complex *xsdComplex  `xml:"complexType"`
	Rest    []xsdUnknown `xml:",any"`
}

type xsdComplex struct {
	Name       string    `xml:"name,attr"`
	Mixed      bool      `xml:"mixed,attr"`
	Sequence   *xsdGroup `xml:"sequence"`
	Choice     *xsdGroup `xml:"choice"`
	Attributes []struct {
		Name string `xml:"name,attr"`
		Type string `xml:"type,attr"`
		Use  string `xml:"use,attr"`
	} `xml:"attribute"`
	Rest []xsdUnknown `xml:",any"`
}

// xsdGroup is a sequence or a choice.
type xsdGroup struct {
	Min      string        `xml:"minOccurs,attr"`
	Max      string        `xml:"maxOccurs,attr"`
	Elements []*xsdElement `xml:"element"`
	Choices  []*xsdGroup   `xml:"choice"`
	Rest     []xsdUnknown  `xml:",any"`
}

func readXSD(t *testing.T, file string) *xsd {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s xsd
	if err := xml.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	unknown := slices.Clone(s.Rest)
	for _, simple := range s.Simple {
		unknown = append(append(unknown, simple.Rest...), simple.Restriction.Rest...)
		if simple.Restriction.Base != "xs:string" {
			t.Fatalf("%s: the type %s restricts %s", file, simple.Name, simple.Restriction.Base)
		}
	}
	var group func(g *xsdGroup)
	complexType := func(c *xsdComplex) {
		if c != nil {
			unknown = append(unknown, c.Rest...)
			group(c.Sequence)
			group(c.Choice)
		}
	}
	group = func(g *xsdGroup) {
		if g == nil {
			return
		}
		unknown = append(unknown, g.Rest...)
		for _, e := range g.Elements {
			unknown = append(unknown, e.Rest...)
			complexType(e.Complex)
		}
		for _, inner := range g.Choices {
			group(inner)
		}
	}
	must := func(c *xsdComplex) bool {
		return c != nil && c.Sequence != nil && slices.ContainsFunc(c.Sequence.Elements, func(e *xsdElement) bool { return e.Min != "0" })
	}
	for _, e := range s.Elements {
		unknown = append(unknown, e.Rest...)
		complexType(e.Complex)
		if must(e.Complex) {
			t.Fatalf("%s: <%s> must hold an element, which this reader does not ask for", file, e.Name)
		}
	}
	for _, c := range s.Complex {
		complexType(c)
	}
	if len(unknown) > 0 || len(s.Elements) == 0 {
		t.Fatalf("%s has what this reader does not know: %v", file, unknown)
	}
	return &s
}

// node is an element of a document.
type node struct {
	name     string
	attr     []xml.Attr
	children []*node
	text     bool // something other than blanks
}

func readNodes(body io.Reader) (*node, error) {
	root := &node{}
	open := []*node{root}
	for decoder := xml.NewDecoder(body); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		inner := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local, attr: token.Attr}
			inner.children = append(inner.children, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			inner.text = inner.text || regexp.MustCompile(`\S`).Match(token)
		}
	}
}

// validate says what is wrong with a document.
func (s *xsd) validate(body io.Reader) error {
	root, err := readNodes(body)
	if err != nil {
		return err
	}
	if len(root.children) != 1 {
		return fmt.Errorf("%d root elements", len(root.children))
	}
	return s.element(root.children[0])
}

func (s *xsd) element(n *node) error {
	at := slices.IndexFunc(s.Elements, func(e *xsdElement) bool { return e.Name == n.name })
	if at < 0 {
		return fmt.Errorf("<%s> is unknown", n.name)
	}
	e := s.Elements[at]
	content := e.Complex
	if i := slices.IndexFunc(s.Complex, func(c *xsdComplex) bool { return c.Name == e.Type }); content == nil && i >= 0 {
		content = s.Complex[i]
	}
	if content == nil { // a simple type: text and nothing else
		if len(n.attr)+len(n.children) > 0 {
			return fmt.Errorf("<%s> is text, and has %d attributes and %d elements", n.name, len(n.attr), len(n.children))
		}
		return nil
	}
	if n.text && !content.Mixed {
		return fmt.Errorf("<%s> holds text", n.name)
	}
	for _, a := range n.attr {
		if !slices.ContainsFunc(content.Attributes, func(known struct {
			Name string `xml:"name,attr"`
			Type string `xml:"type,attr"`
			Use  string `xml:"use,attr"`
		},
		) bool {
			return known.Name == a.Name.Local && s.matches(known.Type, a.Value)
		}) {
			return fmt.Errorf("<%s> has %s=%q", n.name, a.Name.Local, a.Value)
		}
	}
	for _, known := range content.Attributes {
		if known.Use == "required" && !slices.ContainsFunc(n.attr, func(a xml.Attr) bool { return a.Name.Local == known.Name }) {
			return fmt.Errorf("<%s> has no %s", n.name, known.Name)
		}
	}
	rest := n.children
	switch {
	case content.Sequence != nil:
		rest = content.Sequence.sequence(rest)
	case content.Choice != nil:
		rest = content.Choice.choice(rest)
	}
	if len(rest) > 0 {
		return fmt.Errorf("<%s> has a <%s> that may not stand there", n.name, rest[0].name)
	}
	for _, child := range n.children {
		if err := s.element(child); err != nil {
			return fmt.Errorf("<%s>: %w", n.name, err)
		}
	}
	return nil
}

func (s *xsd) matches(kind, value string) bool {
	for _, simple := range s.Simple {
		if simple.Name == kind {
			for _, p := range simple.Restriction.Patterns {
				if !regexp.MustCompile("^(" + p.Value + ")$").MatchString(value) {
					return false
				}
			}
			return true
		}
	}
	return kind == "xs:string"
}

// unbounded: without limit; else once.
func (g *xsdGroup) unbounded() bool { return g.Max == "unbounded" }

// sequence takes from the children what stands in order, and returns those that are left. No element of it must
// be there: readXSD refuses a schema that asks for one.
func (g *xsdGroup) sequence(children []*node) []*node {
	for _, e := range g.Elements {
		for n := 0; len(children) > 0 && children[0].name == cmpName(e) && (n == 0 || e.Max == "unbounded"); n++ {
			children = children[1:]
		}
	}
	for _, inner := range g.Choices {
		children = inner.choice(children)
	}
	return children
}

// choice takes any of its elements, as often as it may.
func (g *xsdGroup) choice(children []*node) []*node {
	for n := 0; len(children) > 0 && (n == 0 || g.unbounded()); n++ {
		if !slices.ContainsFunc(g.Elements, func(e *xsdElement) bool { return cmpName(e) == children[0].name }) {
			return children
		}
		children = children[1:]
	}
	return children
}

func cmpName(e *xsdElement) string {
	if e.Ref != "" {
		return e.Ref
	}
	return e.Name
}
