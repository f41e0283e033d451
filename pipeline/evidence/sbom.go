package evidence

import (
	"encoding/json"
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// Neither SBOM format allows foreign members at its top, so the mark travels as JSON text in the place that each
// keeps for tools: a metadata property in CycloneDX, an annotation in SPDX.
const (
	cycloneDXProperty = "hallmark:mark"
	spdxAnnotator     = "Tool: hallmark"
)

// Bill is what a bill of materials says of itself.
type Bill struct {
	Format     string // "CycloneDX" or "SPDX"
	Version    string // of the format: "1.6", "2.3"
	Components int    // packages, libraries, applications listed
}

type cycloneDX struct {
	Format     string     `json:"bomFormat"`
	Version    string     `json:"specVersion"`
	Components []struct{} `json:"components"`
	Metadata   struct {
		Properties []property `json:"properties"`
	} `json:"metadata"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// CycloneDX states what is in s, as the given CycloneDX JSON document with the mark added to its metadata.
func CycloneDX(s subject.Subject, document json.RawMessage, m Mark) (Statement, error) {
	text, err := markText(m)
	if err != nil {
		return Statement{}, invalid(TypeCycloneDX, err)
	}
	var top, metadata map[string]jsontext.Value
	if err := jsonv2.Unmarshal(document, &top); err != nil {
		return Statement{}, invalid(TypeCycloneDX, err)
	}
	if err := member(top, "metadata", &metadata); err != nil {
		return Statement{}, invalid(TypeCycloneDX, err)
	}
	var properties []jsontext.Value
	if err := member(metadata, "properties", &properties); err != nil {
		return Statement{}, invalid(TypeCycloneDX, err)
	}
	if metadata == nil {
		metadata = map[string]jsontext.Value{}
	}
	if err := setMember(metadata, "properties", properties, property{Name: cycloneDXProperty, Value: text}); err != nil {
		return Statement{}, invalid(TypeCycloneDX, err)
	}
	encoded, err := jsonv2.Marshal(metadata, jsonv2.Deterministic(true))
	if err != nil {
		return Statement{}, invalid(TypeCycloneDX, err)
	}
	if top == nil {
		return Statement{}, invalid(TypeCycloneDX, fmt.Errorf("the document is not an object"))
	}
	top["metadata"] = encoded
	statement, err := build(s, TypeCycloneDX, top)
	if err != nil {
		return Statement{}, err
	}
	_, _, err = ParseCycloneDX(statement)
	return statement, err
}

// ParseCycloneDX reads what the bill says of itself, and its mark. The bill itself is the statement's predicate.
func ParseCycloneDX(s Statement) (Bill, Mark, error) {
	var p cycloneDX
	if err := read(s, TypeCycloneDX, &p); err != nil {
		return Bill{}, Mark{}, err
	}
	if p.Format != "CycloneDX" || p.Version == "" {
		return Bill{}, Mark{}, invalid(TypeCycloneDX, fmt.Errorf("its bomFormat is %q", clip(p.Format)))
	}
	for _, entry := range p.Metadata.Properties {
		if entry.Name == cycloneDXProperty {
			m, err := parseMarkText(entry.Value)
			if err != nil {
				return Bill{}, Mark{}, invalid(TypeCycloneDX, err)
			}
			return Bill{Format: p.Format, Version: p.Version, Components: len(p.Components)}, m, nil
		}
	}
	return Bill{}, Mark{}, invalid(TypeCycloneDX, fmt.Errorf("its metadata has no property %s", cycloneDXProperty))
}

type spdx struct {
	Version     string           `json:"spdxVersion"`
	Packages    []struct{}       `json:"packages"`
	Annotations []spdxAnnotation `json:"annotations"`
}

type spdxAnnotation struct {
	Date      time.Time `json:"annotationDate"`
	Type      string    `json:"annotationType"`
	Annotator string    `json:"annotator"`
	Comment   string    `json:"comment"`
}

// SPDX states what is in s, as the given SPDX 2 JSON document with the mark added to its annotations.
func SPDX(s subject.Subject, document json.RawMessage, m Mark) (Statement, error) {
	text, err := markText(m)
	if err != nil {
		return Statement{}, invalid(TypeSPDX, err)
	}
	var top map[string]jsontext.Value
	if err := jsonv2.Unmarshal(document, &top); err != nil {
		return Statement{}, invalid(TypeSPDX, err)
	}
	if top == nil {
		return Statement{}, invalid(TypeSPDX, fmt.Errorf("the document is not an object"))
	}
	var annotations []jsontext.Value
	if err := member(top, "annotations", &annotations); err != nil {
		return Statement{}, invalid(TypeSPDX, err)
	}
	own := spdxAnnotation{Date: utc(m.At).Truncate(time.Second), Type: "OTHER", Annotator: spdxAnnotator, Comment: text}
	if err := setMember(top, "annotations", annotations, own); err != nil {
		return Statement{}, invalid(TypeSPDX, err)
	}
	statement, err := build(s, TypeSPDX, top)
	if err != nil {
		return Statement{}, err
	}
	_, _, err = ParseSPDX(statement)
	return statement, err
}

// ParseSPDX reads what the bill says of itself, and its mark. The bill itself is the statement's predicate.
func ParseSPDX(s Statement) (Bill, Mark, error) {
	var p spdx
	if err := read(s, TypeSPDX, &p); err != nil {
		return Bill{}, Mark{}, err
	}
	version, ok := strings.CutPrefix(p.Version, "SPDX-")
	if !ok || !strings.HasPrefix(version, "2.") {
		return Bill{}, Mark{}, invalid(TypeSPDX, fmt.Errorf("its spdxVersion is %q, not SPDX-2.x", clip(p.Version)))
	}
	for _, entry := range p.Annotations {
		if entry.Annotator == spdxAnnotator {
			m, err := parseMarkText(entry.Comment)
			if err != nil {
				return Bill{}, Mark{}, invalid(TypeSPDX, err)
			}
			return Bill{Format: "SPDX", Version: version, Components: len(p.Packages)}, m, nil
		}
	}
	return Bill{}, Mark{}, invalid(TypeSPDX, fmt.Errorf("it has no annotation by %q", spdxAnnotator))
}

func markText(m Mark) (string, error) {
	if err := m.check(false); err != nil {
		return "", err
	}
	data, err := jsonv2.Marshal(m.normal())
	return string(data), err
}

func parseMarkText(text string) (Mark, error) {
	var m Mark
	if err := jsonv2.Unmarshal([]byte(text), &m); err != nil {
		return Mark{}, err
	}
	return m, m.check(false)
}

// member decodes one member of a document if it is there.
func member(document map[string]jsontext.Value, name string, into any) error {
	value, found := document[name]
	if !found {
		return nil
	}
	if err := jsonv2.Unmarshal(value, into); err != nil {
		return fmt.Errorf("its member %s: %w", name, err)
	}
	return nil
}

// setMember sets a member of a document to list with own at its end.
func setMember(document map[string]jsontext.Value, name string, list []jsontext.Value, own any) error {
	encoded, err := jsonv2.Marshal(own)
	if err != nil {
		return err
	}
	document[name], err = jsonv2.Marshal(append(list, encoded))
	return err
}
