package sign

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Report is what stands beside an image, and what of it counts.
type Report struct {
	Subject    subject.Subject `json:"subject"`
	Signatures []Signature     `json:"signatures"`
	// Evidence holds the newest statement of each kind, per target of launches and per tag of promotions.
	Evidence []evidence.Verified `json:"evidence"`
	// Superseded holds the older ones that are good too, the newest first: the history of promotions among them. Bills
	// of materials come without their predicate: nobody needs the old ones, and they are large.
	Superseded []evidence.Verified `json:"superseded,omitempty"`
	Rejected   []Rejection         `json:"rejected,omitempty"`
	// Missing are the required predicate types of which nothing counts.
	Missing []string `json:"missing,omitempty"`
	// Unread says how many of the oldest entries were left out, because there were more than the limit allows.
	Unread int `json:"unread,omitempty"`
}

// Signature is one good signature of the image itself.
type Signature struct {
	Signer string `json:"signer"` // "key sha256:…"
	Form   string `json:"form"`   // "tag" (classic) or "bundle"
	Ref    string `json:"ref"`
}

// Rejection is something that was found and does not count.
type Rejection struct {
	Ref string `json:"ref"`
	// Type is the predicate type that it claims; nobody vouches for it.
	Type   string `json:"type,omitempty"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

// report sorts what was found.
func (v *verification) report(all []found, unread int) Report {
	r := Report{Subject: v.at, Unread: unread, Signatures: []Signature{}, Evidence: []evidence.Verified{}}
	var good []evidence.Verified
	for _, f := range all {
		switch {
		case f.signature != nil:
			r.Signatures = append(r.Signatures, *f.signature)
		case f.rejection != nil:
			r.Rejected = append(r.Rejected, *f.rejection)
		case f.verified != nil:
			good = append(good, *f.verified)
		}
	}
	slices.SortStableFunc(good, func(a, b evidence.Verified) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Ref, b.Ref)) })
	type slot struct{ predicate, slot string }
	taken := map[slot]bool{}
	types := map[string]bool{}
	for _, e := range good {
		key := slot{e.Statement.PredicateType, e.Summary.Slot}
		if taken[key] {
			if e.Summary.Kind == evidence.KindSBOM {
				e.Statement.Predicate = nil
			}
			r.Superseded = append(r.Superseded, e)
			continue
		}
		taken[key], types[e.Statement.PredicateType] = true, true
		r.Evidence = append(r.Evidence, e)
	}
	slices.SortStableFunc(r.Evidence, func(a, b evidence.Verified) int {
		return cmp.Or(cmp.Compare(rank(a.Summary.Kind), rank(b.Summary.Kind)), strings.Compare(a.Summary.Slot, b.Summary.Slot))
	})
	for _, required := range v.Require {
		if !types[required] {
			r.Missing = append(r.Missing, required)
		}
	}
	return r
}

// rank is the order in which people read evidence: as a run makes it.
func rank(kind evidence.Kind) int {
	return slices.Index([]evidence.Kind{
		evidence.KindProvenance, evidence.KindSBOM, evidence.KindVulnerabilities, evidence.KindCheck,
		evidence.KindLaunch, evidence.KindPromotion, evidence.KindForeign,
	}, kind)
}

// Err is nil where the image is signed and nothing required is missing, and else an error whose verdict is fail.
func (r Report) Err() error {
	var lacks []string
	code := CodeMissing
	if len(r.Signatures) == 0 {
		code, lacks = CodeUnsigned, append(lacks, "no signature of it holds")
	}
	for _, missing := range r.Missing {
		lacks = append(lacks, "no evidence of type "+missing+" counts")
	}
	if len(lacks) == 0 {
		return nil
	}
	for _, rejection := range r.Rejected[:min(len(r.Rejected), 5)] {
		what := rejection.Type
		if what == "" {
			what = "a signature"
		}
		lacks = append(lacks, what+" was rejected: "+rejection.Reason)
	}
	return &verdict.Error{
		Verdict: verdict.Fail, Code: code, Doing: "verifying", Object: r.Subject.String(), Cause: errors.New(strings.Join(lacks, "; ")),
		Remedy: "Run the pipeline on this image again, or check that the public key is the one that it signs with",
	}
}
