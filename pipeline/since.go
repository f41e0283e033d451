package pipeline

import (
	"context"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// sinceGolden writes down which findings golden does not have, where somebody wants to know: by golden's own signed
// evidence. That there is no golden yet, or that its evidence cannot be read, changes nothing about the run.
func (r *run) sinceGolden(ctx context.Context, candidate subject.Subject) {
	if !r.compare || !r.signs() || len(r.cfg.Promote.Tags) == 0 || candidate.Digest == "" {
		return
	}
	tag := r.cfg.Promote.Tags[0]
	digest, found, err := r.registry.Head(ctx, candidate.Repository, tag)
	if err != nil || !found || digest == candidate.Digest {
		return
	}
	golden := subject.Subject{Repository: candidate.Repository, Digest: digest}
	known, err := r.goldenFindings(ctx, golden)
	if err != nil {
		progress.From(ctx).Notef("What is new since %s is not known: %v", golden.Tagged(tag), err)
		return
	}
	r.book.write(func(rep *report.Report) { rep.Since(golden.Tagged(tag), digest, known) })
}

// goldenFindings are what the newest signed evidence of golden says was found; nil where there is none.
func (r *run) goldenFindings(ctx context.Context, golden subject.Subject) ([]verdict.Finding, error) {
	trust, err := r.trust(ctx)
	if err != nil {
		return nil, err
	}
	all, err := sign.Verify(ctx, r.registry, golden, trust.policy(0))
	if err != nil {
		return nil, err
	}
	newest := func(kind evidence.Kind) (evidence.Verified, bool) {
		return evidence.Newest(all.Evidence, func(v evidence.Verified) bool { return v.Summary.Kind == kind })
	}
	var findings []verdict.Finding
	if v, stands := newest(evidence.KindCheck); stands {
		if check, _, err := evidence.ParseChecked(v.Statement); err == nil {
			findings = append(findings, check.Findings...)
		}
	}
	if v, stands := newest(evidence.KindVulnerabilities); stands {
		if scan, _, err := evidence.ParseVulnerabilities(v.Statement); err == nil {
			findings = append(findings, scan.Findings...)
		}
	}
	if findings == nil && len(all.Evidence) > 0 {
		findings = []verdict.Finding{}
	}
	return findings, nil
}
