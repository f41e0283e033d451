package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// VerifyOptions say who counts in a verification: files of public keys in PEM, and identities by certificate. With any of
// them, nobody else does; with none, those of sign.trust and the configuration's own signing key.
type VerifyOptions struct {
	Keys       []string
	Identities []sign.Identity
}

// Verify checks the signature and every piece of evidence of what ref names, asking nobody but its registry, and says
// what the promotion policy finds missing; cfg.Verify says how old evidence may be, and whether the tag must be where its
// last promotion put it. Findings are in the result; the error is for what could not be found out.
func Verify(ctx context.Context, cfg *config.Config, options Options, ref string, with VerifyOptions) (v *report.Verification, err error) {
	ctx, task := progress.Start(ctx, "verify")
	defer func() { task.End(worded(ctx, err)) }()
	ref = repositoryOf(ref)
	tag, promoted := "", cfg.Verify.Promoted
	if promoted {
		if tag, err = tagOf(ref); err != nil {
			return nil, err
		}
	}
	s, err := openFor(ctx, cfg, options, ref)
	if err != nil {
		return nil, err
	}
	defer s.close()
	trust, err := s.trusted(ctx, with)
	if err != nil {
		return nil, err
	}
	v, found, err := s.verify(ctx, ref, trust, cfg.Verify.MaxAge.Std())
	switch {
	case promoted && errors.Is(err, registry.ErrNotFound):
		v = &report.Verification{Version: report.Version, Ref: ref, Checked: time.Now()}
		drifted(v, goneTag(ref, tag))
		return v, nil
	case promoted && err == nil:
		if why := belongs(found, tag); why != nil {
			drifted(v, *why)
		}
	}
	return v, err
}

// verify judges what ref names by evidence that somebody trusted has signed, at most maxAge old (0: any age).
func (s *surroundings) verify(ctx context.Context, ref string, trust trust, maxAge time.Duration) (*report.Verification, sign.Report, error) {
	none := sign.Report{}
	subject, err := s.lookUp(ctx, ref)
	if err != nil {
		return nil, none, err
	}
	found, err := sign.Verify(ctx, s.registry, subject, trust.policy(0))
	if err != nil {
		return nil, none, err
	}
	if len(found.Signatures)+len(found.Evidence)+len(found.Rejected) == 0 {
		// A digest is taken at its word: an image that is not there has no evidence, and nothing is its fault.
		if _, err := s.registry.Manifest(ctx, subject); errors.Is(err, registry.ErrNotFound) {
			return nil, none, fmt.Errorf("%w: %w", verdict.ErrUsage, err)
		} else if err != nil {
			return nil, none, err
		}
	}
	judged, err := s.ask(ctx, subject, found, maxAge)
	if err != nil {
		return nil, none, err
	}
	v := &report.Verification{
		Version: report.Version, Ref: ref, Subject: subject, Verdict: judged.Verdict, ExitCode: judged.Verdict.ExitCode(), Checked: time.Now(),
	}
	for _, signature := range found.Signatures {
		v.Evidence = append(v.Evidence, report.Evidence{Kind: string(evidence.KindSignature), Signer: signature.Signer, Ref: signature.Ref, Summary: "stored as " + signature.Form})
	}
	for _, statement := range found.Evidence {
		v.Evidence = append(v.Evidence, evidenceLine(statement, true))
		if scan, _, err := evidence.ParseVulnerabilities(statement.Statement); err == nil && scan.Database.Note != "" {
			v.Notes = append(v.Notes, "Vulnerability database: "+scan.Database.Note)
		}
	}
	for _, rejected := range found.Rejected {
		v.Rejected = append(v.Rejected, report.Rejected{Kind: rejected.Type, Ref: rejected.Ref, Reason: rejected.Reason})
	}
	for _, finding := range judged.Findings {
		if finding.Blocking {
			v.Missing = append(v.Missing, report.Missing{Kind: finding.ID, Reason: finding.Message, Remedy: finding.Remedy})
		}
	}
	// What somebody found against the image weighs more than what nobody has said of it.
	slices.SortStableFunc(v.Missing, func(a, b report.Missing) int { return weight(a) - weight(b) })
	v.Headline = fmt.Sprintf("%s holds: signed, with all the evidence that the policy asks for", subject.Short())
	if v.Verdict == verdict.Fail {
		v.Headline = fmt.Sprintf("%s does not hold: %s", subject.Short(), v.Missing[0].Reason)
		v.Next = v.Missing[0].Remedy
	}
	return v, found, nil
}

// weight orders what is missing: that a signed verdict is no pass comes first.
func weight(m report.Missing) int {
	if m.Kind == "promotion.verdict" { // the rule of the pack promotion
		return 0
	}
	return 1
}

// Promote moves the configured golden tags to an image that is in the registry already: a staging tag, or a digest. Its evidence is
// verified and judged first, as at the end of a run. The verification is returned also when it fails.
func Promote(ctx context.Context, cfg *config.Config, options Options, ref string, with VerifyOptions) (golden []report.Golden, v *report.Verification, err error) {
	ctx, task := progress.Start(ctx, stepPromote)
	defer func() { task.End(worded(ctx, err)) }()
	if len(cfg.Promote.Tags) == 0 {
		return nil, nil, fmt.Errorf("%w: no tag to promote to: give --tag, or promote.tags in hallmark.yaml", verdict.ErrUsage)
	}
	if cfg.Sign.Key == "" {
		return nil, nil, fmt.Errorf("%w: a promotion is recorded as signed evidence, and sign.key names no key. Set it to the reference of one (env:NAME or file:PATH; hallmark key new makes it), or to keyless", verdict.ErrUsage)
	}
	ref = repositoryOf(ref)
	s, err := openFor(ctx, cfg, options, ref)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	signer, err := s.loadSigner(ctx)
	if err != nil {
		return nil, nil, err
	}
	trust, err := s.trustedBy(ctx, with, signer)
	if err != nil {
		return nil, nil, err
	}
	return s.promote(ctx, signer, trust, ref, cfg.Promote.Tags)
}

func (s *surroundings) promote(ctx context.Context, signer *sign.Signer, trust trust, ref string, tags []string) ([]report.Golden, *report.Verification, error) {
	verified, found, err := s.verify(ctx, ref, trust, time.Duration(s.cfg.Promote.MaxAge))
	if err != nil {
		return nil, nil, err
	}
	if verified.Verdict != verdict.Pass {
		return nil, verified, &verdict.Error{
			Verdict: verified.Verdict, Code: "gate.promote", Doing: "the promote gate stops the image",
			Cause: errors.New(verified.Missing[0].Reason), Remedy: verified.Next,
		}
	}
	manifest, err := s.registry.Manifest(ctx, verified.Subject)
	if err != nil {
		return nil, verified, err
	}
	policy, err := promotionPolicy(s.cfg)
	if err != nil {
		return nil, verified, err
	}
	m := mover{surroundings: s, signer: func() (*sign.Signer, error) { return signer, nil }, by: owner(), run: newRunID(time.Now()), policy: policy.Ref(), found: found}
	golden, err := m.move(ctx, verified.Subject, manifest, tags)
	return golden, verified, err
}
