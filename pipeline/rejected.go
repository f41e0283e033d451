package pipeline

import (
	"context"
	"slices"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// rejectWait is how long a stopped run takes at most to leave its verdict in the registry: it is known already.
const rejectWait = time.Minute

// reject signs what the gates found, beside the digest that they have stopped. Nothing of the image is published for that:
// what refers to a manifest may be stored before it, or without it (OCI distribution specification 1.1, "Pushing Manifests
// with Subject"). That a verdict cannot be signed does not change it.
func (r *run) reject(ctx context.Context, c candidate, found assay, standing standing) {
	if !r.signs() || ctx.Err() != nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, rejectWait)
	defer cancel()
	bounded, task := progress.Start(bounded, "sign why it was stopped")
	err := r.testifyRejection(bounded, c, found, standing)
	task.End(err)
	if err != nil && ctx.Err() == nil {
		unsigned := "Why the image was stopped could not be signed: " + verdict.Plain(err)
		progress.From(ctx).Warnf("%s", unsigned)
		r.book.note(unsigned)
	}
}

func (r *run) testifyRejection(ctx context.Context, c candidate, found assay, standing standing) error {
	published := standing.present
	if !published { // an earlier run may have stopped it, too
		trust, err := r.trust(ctx)
		if err != nil {
			return err
		}
		before, err := sign.Verify(ctx, r.registry, c.subject, trust.policy(r.fresh()))
		if err != nil {
			return err
		}
		standing.evidence = before.Evidence
	}
	manifest, err := registry.ManifestOf(c.image)
	if err != nil {
		return err
	}
	statements, err := r.statements(c, found, standing)
	if err != nil {
		return err
	}
	statements = slices.DeleteFunc(statements, func(s evidence.Statement) bool {
		if !published && s.PredicateType == evidence.TypeCycloneDX {
			return true // it names the layers, of which some may be in the registry by now: nobody is to find them there
		}
		said, before := standing.says(s)
		if before {
			r.book.reuse(said)
		}
		return before
	})
	if len(statements) > 0 {
		signer, err := r.key.get()
		if err != nil {
			return err
		}
		// A tag of cosign's older form stands beside an image; beside one, whoever reads no other form must not miss what overtakes
		// the pass that they know of.
		options := sign.AttestOptions{Manifest: manifest, Tags: published && r.cfg.Sign.Tags}
		if err := signer.AttestAll(ctx, r.registry, c.subject, statements, options); err != nil {
			return err
		}
		r.book.signed(signer, false, statements)
	}
	where := "Why the image was stopped is signed beside its digest in " + c.subject.Repository
	if !published {
		where += "; the image itself was not pushed"
	}
	r.book.note(where + ".")
	return nil
}

// says is the last that stands about a gate, where it is the same verdict on the same inputs.
func (s standing) says(statement evidence.Statement) (last evidence.Verified, same bool) {
	summary, err := evidence.Summarize(statement)
	if err != nil {
		return last, false
	}
	last, found := evidence.Newest(s.evidence, func(v evidence.Verified) bool {
		return v.Summary.Kind == summary.Kind && v.Summary.Slot == summary.Slot
	})
	return last, found && last.Summary.Inputs == summary.Inputs && last.Summary.Verdict == summary.Verdict
}
