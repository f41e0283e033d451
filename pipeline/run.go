// Package pipeline is the sentence that Hallmark is: build the image, check and scan it, sign it, push it to a staging
// tag, launch a single-node cluster from it, and retag it as golden once that passes.
//
// Run reads like the sentence; each step stands in the file of its name, takes what it needs from the step before and
// returns what it made. How a thing is done stands in the room of its verb, below this package.
package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Run takes the image that cfg describes from its Dockerfile to its golden tags, and reports how far it came.
//
// The report is complete whatever the verdict; the error is the one that ended the run, nil on a pass. Only when
// the run could not even begin is the report nil.
func Run(ctx context.Context, cfg *config.Config, options Options) (*report.Report, error) {
	r, err := begin(ctx, cfg, options)
	if err != nil {
		return nil, err
	}
	defer r.close()
	err = r.sentence(r.watch(ctx))
	// As if it had been known at once; but what a gate has against the image is so whoever may sign it.
	if failed := r.key.failed(); failed != nil && verdict.OfError(err) != verdict.Fail {
		return nil, failed
	}
	return r.finish(interrupted(ctx, err))
}

// interrupted tells the end of a run that somebody stopped: libraries word it in many ways, few of which errors.Is knows.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	return err
}

func (r *run) sentence(ctx context.Context) error {
	candidate, err := r.buildWhileKeyOpens(ctx)
	defer candidate.release(ctx)
	if err != nil {
		return err
	}
	standing, err := r.standing(ctx, candidate.subject) // what earlier runs have signed about this very digest
	if err != nil {
		return err
	}
	assay, err := r.assay(ctx, candidate, standing) // check and scan share one walk; the blobs go up meanwhile
	r.sinceGolden(ctx, candidate.subject)
	if err != nil {
		return err
	}
	if err := gate(assay.checked.findings, assay.scanned.findings); err != nil {
		r.reject(ctx, candidate, assay, standing) // signed beside the digest; of the image nothing is published
		return err
	}
	staged, err := r.stage(ctx, candidate, assay, standing) // manifest, signature, evidence; then the staging tag
	if err != nil {
		return err
	}
	if err := r.launch(ctx, staged, standing); err != nil { // pulled back by digest, as a consumer would
		return err
	}
	return r.promote(ctx, staged) // evidence verified, golden tag moved, read back, recorded
}

// gate stops a candidate that has a blocking finding: before anything of it is tagged.
func gate(all ...[]verdict.Finding) error {
	for _, findings := range all {
		if err := blocked(findings); err != nil {
			return err
		}
	}
	return nil
}
