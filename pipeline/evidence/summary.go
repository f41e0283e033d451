package evidence

import (
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Kind is what a statement is about, in one word for tables and policies.
type Kind string

const (
	KindProvenance      Kind = "provenance"
	KindSBOM            Kind = "sbom"
	KindVulnerabilities Kind = "vulnerabilities"
	KindCheck           Kind = "check"
	KindLaunch          Kind = "launch"
	KindPromotion       Kind = "promotion"
	KindSignature       Kind = "signature"
	// KindForeign is a well-formed statement of a type that Hallmark does not write.
	KindForeign Kind = "foreign"
)

// Summary is a statement in short.
type Summary struct {
	Kind Kind `json:"kind"`
	// Slot tells apart statements of one predicate type that stand beside each other rather than replace each other:
	// the target and profile of a launch ("sandbox/spark"), the tag of a promotion.
	Slot string `json:"slot,omitempty"`
	// Verdict is empty where the statement is not about a gate.
	Verdict verdict.Verdict `json:"verdict,omitempty"`
	// Text is one line for people.
	Text   string    `json:"text"`
	Inputs string    `json:"inputs,omitempty"` // see Mark
	Run    string    `json:"run,omitempty"`    // see Mark
	At     time.Time `json:"at,omitzero"`      // zero: the statement does not say
}

// Summarize reads a statement of any type. An error means that the statement is of a type that Hallmark writes, but
// not as Hallmark writes it.
func Summarize(s Statement) (Summary, error) {
	switch s.PredicateType {
	case TypeProvenance:
		b, m, err := ParseProvenance(s)
		return m.summary(KindProvenance, "", describeBuild(b)), err
	case TypeCycloneDX:
		b, m, err := ParseCycloneDX(s)
		return m.summary(KindSBOM, b.Format, describeBill(b)), err
	case TypeSPDX:
		b, m, err := ParseSPDX(s)
		return m.summary(KindSBOM, b.Format, describeBill(b)), err
	case TypeVulnerabilities:
		scan, m, err := ParseVulnerabilities(s)
		return m.summary(KindVulnerabilities, "", describeScan(scan)), err
	case TypeChecked:
		c, m, err := ParseChecked(s)
		return m.summary(KindCheck, "", describeCheck(c)), err
	case TypeLaunched:
		l, m, err := ParseLaunched(s)
		return m.summary(KindLaunch, l.Target+"/"+l.Profile, describeLaunch(l)), err
	case TypePromoted:
		p, m, err := ParsePromoted(s)
		return m.summary(KindPromotion, p.Tag, describePromotion(p)), err
	case TypeSignature:
		return Summary{Kind: KindSignature, Text: "signed"}, nil
	default:
		return Summary{Kind: KindForeign, Text: "of type " + clip(s.PredicateType)}, nil
	}
}

func (m Mark) summary(kind Kind, slot, text string) Summary {
	return Summary{Kind: kind, Slot: slot, Verdict: m.Verdict, Text: text, Inputs: m.Inputs, Run: m.Run, At: m.At}
}

func describeBuild(b Build) string {
	text := "built from " + clip(b.Dockerfile)
	if b.Target != "" {
		text += " (stage " + clip(b.Target) + ")"
	}
	if b.Source != nil {
		text += " at commit " + b.Source.Commit[:min(12, len(b.Source.Commit))]
	}
	return text + " on " + verdict.Plural(len(b.Bases), "base image")
}

func describeBill(b Bill) string {
	return fmt.Sprintf("%s %s, %s", b.Format, clip(b.Version), verdict.Plural(b.Components, "component"))
}

func describeScan(s Scan) string {
	blocking, waived := verdict.Count(s.Findings)
	text := fmt.Sprintf("%s, %d blocking, %d waived, in %s; database %s of %s", verdict.Plural(len(s.Findings), "finding"),
		blocking, waived, verdict.Plural(s.Packages, "package"), subject.Short(s.Database.Digest), s.Database.Updated.Format(time.DateOnly))
	if s.Database.Note != "" {
		text += " (" + clip(s.Database.Note) + ")"
	}
	return text
}

func describeCheck(c Check) string {
	blocking, waived := verdict.Count(c.Findings)
	packs := make([]string, len(c.Packs))
	for i, p := range c.Packs {
		packs[i] = clip(p.Name)
		if p.Version != "" {
			packs[i] += " " + clip(p.Version)
		}
	}
	return fmt.Sprintf("%s of %s; %d blocking, %d waived", verdict.Plural(c.Rules, "rule"), strings.Join(packs, ", "), blocking, waived)
}

func describeLaunch(l Launch) string {
	good := 0
	for _, p := range l.Probes {
		if p.Verdict == verdict.Pass {
			good++
		}
	}
	return fmt.Sprintf("%s/%s: %d of %s passed", clip(l.Target), clip(l.Profile), good, verdict.Plural(len(l.Probes), "probe"))
}

func describePromotion(p Promotion) string {
	from := "nothing"
	if p.From != "" {
		from = subject.Short(p.From)
	}
	text := fmt.Sprintf("%s moved from %s to %s", clip(p.Tag), from, subject.Short(p.To))
	if p.From == p.To {
		text = fmt.Sprintf("%s was at %s already, recorded", clip(p.Tag), subject.Short(p.To))
	}
	if p.By != "" {
		text += " by " + clip(p.By)
	}
	return text
}
