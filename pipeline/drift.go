package pipeline

import (
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// kindDrift names what is missing where a tag points to an image that no promotion put it on.
const kindDrift = "promotion.drift"

// tagOf is the tag that a reference names; what names a digest, or nothing, has none to drift.
func tagOf(ref string) (string, error) {
	name := ref[strings.LastIndex(ref, "/")+1:]
	_, tag, tagged := strings.Cut(name, ":")
	if !tagged || strings.Contains(name, "@") {
		return "", fmt.Errorf("%w: whether a tag stands where its last promotion put it is asked of a tag, and %s names none: name one, or do not ask (--promoted=false, verify.promoted: false)", verdict.ErrUsage, ref)
	}
	return tag, nil
}

// belongs says by the verified evidence beside an image why the tag does not belong on it; nil: the last that is known of
// the tag there is a promotion onto this image. Each move is recorded beside both of its ends: so an image that was
// promoted once, and replaced, does not pass for golden when the tag is moved back to it by hand.
func belongs(found sign.Report, tag string) *report.Missing {
	var last evidence.Promotion
	for _, all := range [][]evidence.Verified{found.Evidence, found.Superseded} {
		for _, v := range all {
			if v.Summary.Kind != evidence.KindPromotion || v.Summary.Slot != tag {
				continue
			}
			if p, _, err := evidence.ParsePromoted(v.Statement); err == nil && (last.At.IsZero() || p.At.After(last.At)) {
				last = p
			}
		}
	}
	this := found.Subject
	switch {
	case last.At.IsZero():
		return &report.Missing{
			Kind:   kindDrift,
			Reason: fmt.Sprintf("%s points to %s, which nobody whose key counts has promoted to it", tag, subject.Short(this.Digest)),
			Remedy: fmt.Sprintf("Find out who moved the tag. hallmark promote REPOSITORY@sha256:… --tag %s puts it back, or judges this image and records it", tag),
		}
	case last.To != this.Digest:
		return &report.Missing{
			Kind: kindDrift,
			Reason: fmt.Sprintf("%s points to %s again, without a promotion: on %s it was moved from there to %s",
				tag, subject.Short(this.Digest), last.At.UTC().Format(time.RFC3339), subject.Short(last.To)),
			Remedy: fmt.Sprintf("Find out who moved the tag. hallmark promote %s@%s --tag %s puts it back", this.Repository, last.To, tag),
		}
	}
	return nil
}

// goneTag is the drift of a tag that is not there any more.
func goneTag(ref, tag string) report.Missing {
	return report.Missing{
		Kind:   kindDrift,
		Reason: fmt.Sprintf("there is no tag %s at %s, or these credentials may not see it", tag, strings.TrimSuffix(ref, ":"+tag)),
		Remedy: fmt.Sprintf("Find out who removed the tag. hallmark promote REPOSITORY@sha256:… --tag %s puts it back", tag),
	}
}

// drifted makes the verification of a tag fail, for it is not where its last promotion put it.
func drifted(v *report.Verification, why report.Missing) {
	v.Missing = append([]report.Missing{why}, v.Missing...)
	v.Verdict, v.ExitCode = verdict.Fail, verdict.Fail.ExitCode()
	v.Headline, v.Next = "Drift: "+why.Reason, why.Remedy
}
