package evidence

import (
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// Promotion is the record of one move of a golden tag. It stands beside the image that the tag moved onto, and beside the
// one that it left: so each of them says by itself whether the tag belongs there, also where somebody moves it back by
// hand. The records of a tag, each naming the digest that it replaced, are the tag's history.
type Promotion struct {
	Tag    string
	From   string // digest that the tag pointed at before, "sha256:…"; empty: the tag is new; as To: it was there unrecorded
	To     string // digest that it points at since
	By     string // who moved it: a person or a job
	At     time.Time
	Policy Pack   // what the evidence was judged by
	Reason string // why, if somebody said so
}

type promotion struct {
	Tag      string    `json:"tag"`
	From     string    `json:"from,omitzero"`
	To       string    `json:"to"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Policy   Pack      `json:"policy"`
	Reason   string    `json:"reason,omitzero"`
	Hallmark Mark      `json:"hallmark"`
}

// Promoted states that a tag was moved onto s, or away from it, as Hallmark's own predicate.
func Promoted(s subject.Subject, r Promotion, m Mark) (Statement, error) {
	p := promotion{
		Tag: r.Tag, From: r.From, To: r.To, By: publicText(r.By), At: utc(r.At), Policy: r.Policy, Reason: publicText(r.Reason), Hallmark: m.normal(),
	}
	if err := p.check(s); err != nil {
		return Statement{}, invalid(TypePromoted, err)
	}
	return build(s, TypePromoted, p)
}

// ParsePromoted reads what Promoted stated.
func ParsePromoted(s Statement) (Promotion, Mark, error) {
	var p promotion
	if err := read(s, TypePromoted, &p); err != nil {
		return Promotion{}, Mark{}, err
	}
	if err := p.check(s.Subject); err != nil {
		return Promotion{}, Mark{}, invalid(TypePromoted, err)
	}
	return Promotion{Tag: p.Tag, From: p.From, To: p.To, By: p.By, At: p.At, Policy: p.Policy, Reason: p.Reason}, p.Hallmark, nil
}

func (p promotion) check(s subject.Subject) error {
	if err := p.Hallmark.check(false); err != nil {
		return err
	}
	switch {
	case p.Tag == "":
		return fmt.Errorf("it names no tag")
	case p.At.IsZero():
		return fmt.Errorf("it does not say when the tag was moved")
	case !isDigest(p.To):
		return fmt.Errorf("the digest that it moved the tag to, %q, is not a sha256 digest", clip(p.To))
	case p.To != s.Digest && p.From != s.Digest:
		return fmt.Errorf("it moved the tag to %s, which is not its subject", clip(p.To))
	case p.From != "" && !isDigest(p.From):
		return fmt.Errorf("the digest that it replaced, %q, is not a sha256 digest", clip(p.From))
	case !isDigest(p.Policy.Digest):
		return fmt.Errorf("the policy %s has no sha256 digest", clip(p.Policy.Name))
	}
	return nil
}

func isDigest(text string) bool {
	hexDigest, ok := strings.CutPrefix(text, "sha256:")
	return ok && len(hexDigest) == 64 && isHex(hexDigest)
}
