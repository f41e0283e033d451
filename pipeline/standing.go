package pipeline

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// standing is what earlier runs have signed about a subject, verified under the key of this run.
type standing struct {
	present  bool // the registry has the subject's manifest
	signed   bool // in every form that runs sign in
	evidence []evidence.Verified
}

// standing asks the registry what it has of the subject. That nothing stands is the usual answer, and no error.
func (r *run) standing(ctx context.Context, s subject.Subject) (standing, error) {
	if !r.signs() {
		return standing{}, nil // it would take the key, and perhaps a credential, that such a run has not
	}
	_, err := r.registry.Manifest(ctx, s)
	if errors.Is(err, registry.ErrNotFound) {
		return standing{}, nil
	}
	if err != nil {
		return standing{}, r.laterIfUnreachable(ctx, err)
	}
	trust, err := r.trust(ctx)
	if err != nil {
		return standing{}, err
	}
	found, err := sign.Verify(ctx, r.registry, s, trust.policy(r.fresh()))
	if err != nil {
		return standing{}, r.laterIfUnreachable(ctx, err)
	}
	return standing{present: true, signed: r.signedAllWays(found.Signatures), evidence: found.Evidence}, nil
}

// fresh is how old evidence may be that this run builds upon: no older than the promotion allows at its end, less a
// tenth for the time until then. What is older is made again; to skip it would leave it to stop the promotion for ever.
func (s *surroundings) fresh() time.Duration {
	limit := time.Duration(s.cfg.Promote.MaxAge)
	return limit - limit/10
}

// signedAllWays says whether the signature stands in all of its forms: a run that was cut off may have left one of two.
func (r *run) signedAllWays(signatures []sign.Signature) bool {
	if r.cfg.Sign.Key.Keyless() {
		return slices.ContainsFunc(signatures, func(s sign.Signature) bool { return s.Form == "bundle" })
	}
	return signedBothWays(signatures)
}

func signedBothWays(signatures []sign.Signature) bool {
	forms := map[string]bool{}
	for _, signature := range signatures {
		forms[signature.Form] = true
	}
	return forms["tag"] && forms["bundle"]
}

// laterIfUnreachable lets a run go on that cannot ask the registry yet: nothing is skipped then, the gates still
// speak, and the upload says what is wrong.
func (r *run) laterIfUnreachable(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || verdict.OfError(err) != verdict.Inconclusive {
		return err
	}
	progress.From(ctx).Warnf("What is signed already cannot be looked up, so everything is done again: %v", err)
	return nil
}

// find returns the newest evidence of a kind that was made from the same inputs. A gate's evidence must be a pass: what
// failed is tried again when somebody runs again.
func (s standing) find(kind evidence.Kind, slot, inputs string) (evidence.Verified, bool) {
	return evidence.Newest(s.evidence, func(v evidence.Verified) bool {
		return v.Summary.Kind == kind && v.Summary.Slot == slot && v.Summary.Inputs == inputs && v.Summary.Verdict != verdict.Fail
	})
}

// statements are all of ours that stand, as they were signed.
func (s standing) statements() []evidence.Statement {
	var all []evidence.Statement
	for _, v := range s.evidence {
		if v.Summary.Kind != evidence.KindForeign {
			all = append(all, v.Statement)
		}
	}
	return all
}

// reuse writes down evidence that stood already.
func (b *book) reuse(v evidence.Verified) {
	b.write(func(r *report.Report) { r.Evidence = append(r.Evidence, evidenceLine(v, true)) })
}

func evidenceLine(v evidence.Verified, reused bool) report.Evidence {
	return report.Evidence{
		Kind: string(v.Summary.Kind), PredicateType: v.Statement.PredicateType, Signer: v.Signer, At: v.At, Ref: v.Ref,
		Reused: reused, Verdict: v.Summary.Verdict, Summary: v.Summary.Text,
	}
}
