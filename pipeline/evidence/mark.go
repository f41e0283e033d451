package evidence

import (
	"encoding/hex"
	jsonv2 "encoding/json/v2"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Mark is what Hallmark adds to every predicate, under the member "hallmark" (docs/evidence.md says where it stands
// in an SBOM). A later run reads it to see whether the evidence still applies.
type Mark struct {
	// Inputs is the digest of all that decided the result besides the image: packs and parameters, the database,
	// settings, probes. Made by Inputs. The same inputs on the same image need not be tried again.
	Inputs string `json:"inputs"`
	// At is when the result was reached.
	At time.Time `json:"at"`
	// Verdict is pass or fail for the gates (vulnerabilities, check, launch), and empty for the others.
	Verdict verdict.Verdict `json:"verdict,omitzero"`
	// Run is the id of the run that made the statement.
	Run string `json:"run,omitzero"`
}

// Inputs is the digest of named settings, in no order: what Mark.Inputs holds. Values are digests, versions,
// canonical JSON; never secrets.
func Inputs(settings map[string]string) string {
	// A map of strings cannot fail to marshal, except for invalid UTF-8, which is made valid first.
	clean := maps.Clone(settings)
	for key, value := range clean {
		clean[key] = strings.ToValidUTF8(value, "\uFFFD")
	}
	data, err := jsonv2.Marshal(clean, jsonv2.Deterministic(true))
	if err != nil {
		data = fmt.Appendf(nil, "%q", clean) // fmt sorts keys: still the same for the same settings
	}
	return subject.DigestOf(data)
}

// check refuses a mark that cannot stand in evidence of the given kind.
func (m Mark) check(gate bool) error {
	if hexDigest, ok := strings.CutPrefix(m.Inputs, "sha256:"); !ok || len(hexDigest) != 64 || !isHex(hexDigest) {
		return fmt.Errorf("its inputs %q are not a sha256 digest", clip(m.Inputs))
	}
	if m.At.IsZero() {
		return fmt.Errorf("it does not say when it was made")
	}
	switch {
	case gate && m.Verdict != verdict.Pass && m.Verdict != verdict.Fail:
		return fmt.Errorf("the verdict %q is neither pass nor fail: what is not known is no evidence", m.Verdict)
	case !gate && m.Verdict != "":
		return fmt.Errorf("it carries the verdict %q but is not about a gate", m.Verdict)
	}
	return nil
}

func (m Mark) normal() Mark {
	m.At = utc(m.At)
	return m
}

func isHex(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && strings.ToLower(text) == text
}

// utc drops the zone and the monotonic clock, so that a time reads back as it was written.
func utc(t time.Time) time.Time { return t.UTC().Round(0) }

// passed is the word in which SLSA and in-toto say a gate's verdict.
func passed(v verdict.Verdict) string {
	if v == verdict.Pass {
		return "PASSED"
	}
	return "FAILED"
}

// agree says whether the standard's word and the mark's verdict are the same.
func agree(word string, v verdict.Verdict) error {
	if word != passed(v) {
		return fmt.Errorf("it says %q and the verdict %q at once", clip(word), v)
	}
	return nil
}

// read decodes the predicate of s, which must be of the wanted type, into p. Members that p does not know are
// allowed, as in-toto asks; repeated members and wrong types are not.
func read(s Statement, wanted string, p any) error {
	if s.PredicateType != wanted {
		return fmt.Errorf("reading evidence: the statement is of type %q, not %s", clip(s.PredicateType), wanted)
	}
	if err := jsonv2.Unmarshal(s.Predicate, p); err != nil {
		return fmt.Errorf("reading evidence of type %s: %w", wanted, err)
	}
	return nil
}

func invalid(predicateType string, err error) error {
	return fmt.Errorf("evidence of type %s does not hold together: %w", predicateType, err)
}
