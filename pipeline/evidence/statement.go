package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"fmt"
	"net/url"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// StatementType is the only in-toto statement version that is read or written.
const StatementType = "https://in-toto.io/Statement/v1"

// DefaultLimit bounds a statement, in bytes. The SBOM of an image with ten thousand packages takes about 10 MiB.
const DefaultLimit = 24 << 20

// maxTypeLength bounds a predicate type: it is a URI, and it is repeated in messages.
const maxTypeLength = 512

// Statement says something of one kind about one image.
type Statement struct {
	PredicateType string          `json:"predicate_type"`
	Subject       subject.Subject `json:"subject"`
	Predicate     json.RawMessage `json:"predicate"`
}

// envelope is the statement as in-toto writes it.
type envelope struct {
	Type          string         `json:"_type"`
	Subject       []descriptor   `json:"subject"`
	PredicateType string         `json:"predicateType"`
	Predicate     jsontext.Value `json:"predicate"`
}

// descriptor is in-toto's ResourceDescriptor, as far as Hallmark uses it.
type descriptor struct {
	Name        string            `json:"name,omitzero"`
	URI         string            `json:"uri,omitzero"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// build makes the statement that predicate, a type of this package, is about s.
func build(s subject.Subject, predicateType string, predicate any) (Statement, error) {
	if _, err := subject.New(s.Repository, s.Digest); err != nil {
		return Statement{}, fmt.Errorf("stating %s: %w", predicateType, err)
	}
	data, err := jsonv2.Marshal(predicate, jsonv2.Deterministic(true))
	if err != nil {
		return Statement{}, fmt.Errorf("stating %s about %s: %w", predicateType, s, err)
	}
	return Statement{PredicateType: predicateType, Subject: s, Predicate: data}, nil
}

// Marshal is the statement's in-toto JSON, the same bytes each time: what gets signed.
func (s Statement) Marshal() ([]byte, error) {
	hexDigest, ok := strings.CutPrefix(s.Subject.Digest, "sha256:")
	if !ok {
		return nil, fmt.Errorf("writing a statement about %s: its digest is not sha256", s.Subject)
	}
	data, err := jsonv2.Marshal(envelope{
		Type:          StatementType,
		Subject:       []descriptor{{Name: s.Subject.Repository, Digest: map[string]string{"sha256": hexDigest}}},
		PredicateType: s.PredicateType,
		Predicate:     jsontext.Value(s.Predicate),
	}, jsonv2.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("writing a statement of type %s about %s: %w", s.PredicateType, s.Subject, err)
	}
	return data, nil
}

// Parse reads in-toto JSON of at most limit bytes (0: DefaultLimit). It refuses whatever is not exactly a
// Statement v1 about one image by sha256 digest: other versions, further subjects, unknown or repeated members.
func Parse(data []byte, limit int) (Statement, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	if len(data) > limit {
		return Statement{}, fmt.Errorf("the statement has %d bytes, more than the limit of %d", len(data), limit)
	}
	var e envelope
	if err := jsonv2.Unmarshal(data, &e, jsonv2.RejectUnknownMembers(true)); err != nil {
		return Statement{}, fmt.Errorf("the statement is not in-toto JSON: %w", err)
	}
	if e.Type != StatementType {
		return Statement{}, fmt.Errorf("the statement is of type %q, not %s", clip(e.Type), StatementType)
	}
	if err := checkType(e.PredicateType); err != nil {
		return Statement{}, err
	}
	if kind := e.Predicate.Kind(); kind != '{' {
		return Statement{}, fmt.Errorf("the predicate of the statement is not a JSON object")
	}
	s, err := oneSubject(e.Subject)
	if err != nil {
		return Statement{}, err
	}
	return Statement{PredicateType: e.PredicateType, Subject: s, Predicate: json.RawMessage(e.Predicate)}, nil
}

func checkType(predicateType string) error {
	if predicateType == "" || len(predicateType) > maxTypeLength {
		return fmt.Errorf("the predicate type has %d bytes, not 1 to %d", len(predicateType), maxTypeLength)
	}
	if u, err := url.Parse(predicateType); err != nil || u.Scheme == "" {
		return fmt.Errorf("the predicate type %q is not a URI", clip(predicateType))
	}
	return nil
}

func oneSubject(all []descriptor) (subject.Subject, error) {
	if len(all) != 1 {
		return subject.Subject{}, fmt.Errorf("the statement is about %d subjects, not one", len(all))
	}
	d := all[0]
	hexDigest, found := d.Digest["sha256"]
	if !found || len(d.Digest) != 1 {
		return subject.Subject{}, fmt.Errorf("the statement's subject is not named by exactly one sha256 digest")
	}
	if raw, err := hex.DecodeString(hexDigest); err != nil || len(raw) != sha256.Size || strings.ToLower(hexDigest) != hexDigest {
		return subject.Subject{}, fmt.Errorf("the digest of the statement's subject is not 64 lower-case hexadecimal digits")
	}
	if d.Name == "" {
		return subject.Subject{}, fmt.Errorf("the statement's subject names no repository")
	}
	s, err := subject.New(d.Name, "sha256:"+hexDigest)
	if err != nil {
		return subject.Subject{}, fmt.Errorf("the statement's subject: %w", err)
	}
	return s, nil
}

// Digest is the sha256 of the statement's JSON: two statements are the same if it is.
func (s Statement) Digest() (string, error) {
	data, err := s.Marshal()
	if err != nil {
		return "", err
	}
	return subject.DigestOf(data), nil
}
