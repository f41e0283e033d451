package evidence

import (
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Check is how the image stands against the policy packs.
type Check struct {
	Verifier string // URI of who checked: "https://hallmark-ci.github.io/check"
	Packs    []Pack
	Rules    int // rules that were evaluated
	// Findings of all packs, the waived ones too.
	Findings []verdict.Finding
}

// Pack is one policy pack by content.
type Pack struct {
	Name    string `json:"name"`
	Version string `json:"version,omitzero"`
	Digest  string `json:"digest"` // "sha256:…"
}

type summary struct {
	Verifier struct {
		ID string `json:"id"`
	} `json:"verifier"`
	TimeVerified time.Time `json:"timeVerified"`
	ResourceURI  string    `json:"resourceUri"`
	Policy       struct {
		URI    string            `json:"uri"`
		Digest map[string]string `json:"digest"`
	} `json:"policy"`
	Result   string    `json:"verificationResult"`
	Levels   []string  `json:"verifiedLevels"`
	Version  string    `json:"slsaVersion"`
	Hallmark checkMark `json:"hallmark"`
}

type checkMark struct {
	Mark
	Packs    []Pack      `json:"packs"`
	Rules    int         `json:"rules"`
	Findings []ruleBreak `json:"findings,omitempty"`
}

type ruleBreak struct {
	Rule     string           `json:"rule"`
	Severity verdict.Severity `json:"severity"`
	Message  string           `json:"message,omitzero"`
	Place    string           `json:"place,omitzero"`
	Blocking bool             `json:"blocking"`
	Waiver   *verdict.Waiver  `json:"waiver,omitzero"`
}

const (
	packsURI     = "https://hallmark-ci.github.io/packs"
	checkedLevel = "HALLMARK_CHECKED"
	slsaVersion  = "1.1"
)

// Checked states how s stands against the packs, as SLSA's verification summary v1.
func Checked(s subject.Subject, c Check, m Mark) (Statement, error) {
	if err := m.check(true); err != nil {
		return Statement{}, invalid(TypeChecked, err)
	}
	if err := blockingAgrees(c.Findings, m.Verdict); err != nil {
		return Statement{}, invalid(TypeChecked, err)
	}
	digest, err := packsDigest(c.Packs)
	if err != nil {
		return Statement{}, invalid(TypeChecked, err)
	}
	var p summary
	p.Verifier.ID, p.TimeVerified, p.ResourceURI = c.Verifier, utc(m.At), s.String()
	p.Policy.URI, p.Policy.Digest = packsURI, map[string]string{"sha256": digest}
	p.Result, p.Levels, p.Version = passed(m.Verdict), []string{"FAILED"}, slsaVersion
	if m.Verdict == verdict.Pass {
		p.Levels = []string{checkedLevel}
	}
	p.Hallmark = checkMark{Mark: m.normal(), Packs: c.Packs, Rules: c.Rules}
	for _, f := range c.Findings {
		p.Hallmark.Findings = append(p.Hallmark.Findings, ruleBreak{
			Rule: f.ID, Severity: f.Severity, Message: publicText(f.Message), Place: f.Place.String(), Blocking: f.Blocking, Waiver: f.Waiver,
		})
	}
	return build(s, TypeChecked, p)
}

// ParseChecked reads what Checked stated. A finding's place comes back as text, in Place.File.
func ParseChecked(s Statement) (Check, Mark, error) {
	var p summary
	if err := read(s, TypeChecked, &p); err != nil {
		return Check{}, Mark{}, err
	}
	m := p.Hallmark.Mark
	if err := m.check(true); err != nil {
		return Check{}, Mark{}, invalid(TypeChecked, err)
	}
	if err := agree(p.Result, m.Verdict); err != nil {
		return Check{}, Mark{}, invalid(TypeChecked, err)
	}
	if digest, err := packsDigest(p.Hallmark.Packs); err != nil || p.Policy.Digest["sha256"] != digest {
		return Check{}, Mark{}, invalid(TypeChecked, fmt.Errorf("the policy's digest is not that of its packs"))
	}
	if p.ResourceURI != s.Subject.String() {
		return Check{}, Mark{}, invalid(TypeChecked, fmt.Errorf("its resourceUri %q is not its subject", clip(p.ResourceURI)))
	}
	c := Check{Verifier: p.Verifier.ID, Packs: p.Hallmark.Packs, Rules: p.Hallmark.Rules}
	for _, b := range p.Hallmark.Findings {
		c.Findings = append(c.Findings, verdict.Finding{
			ID: b.Rule, Gate: "check", Kind: "rule", Severity: b.Severity, Message: b.Message,
			Place: verdict.Place{File: b.Place}, Blocking: b.Blocking, Waiver: b.Waiver,
		})
	}
	if err := blockingAgrees(c.Findings, m.Verdict); err != nil {
		return Check{}, Mark{}, invalid(TypeChecked, err)
	}
	return c, m, nil
}

// packsDigest is one digest, without its algorithm, for all packs in any order.
func packsDigest(packs []Pack) (string, error) {
	if len(packs) == 0 {
		return "", fmt.Errorf("it names no pack")
	}
	lines := make([]string, len(packs))
	for i, p := range packs {
		if hexDigest, ok := strings.CutPrefix(p.Digest, "sha256:"); !ok || !isHex(hexDigest) {
			return "", fmt.Errorf("the pack %s has no sha256 digest", clip(p.Name))
		}
		lines[i] = p.Name + "\n" + p.Version + "\n" + p.Digest
	}
	return strings.TrimPrefix(subject.DigestOf([]byte(strings.Join(sortedCopy(lines), "\n\n"))), "sha256:"), nil
}
