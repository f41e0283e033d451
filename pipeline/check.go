package pipeline

import (
	"context"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// checked is the verdict of the packs.
type checked struct {
	findings []verdict.Finding
	// state makes the evidence of it; nil where signed evidence stands.
	state func(subject.Subject) (evidence.Statement, error)
}

// check asks the packs about the candidate's facts.
func (r *run) check(ctx context.Context, c candidate, contents func() (*image.Contents, error), standing standing) (found checked, err error) {
	err = r.book.step(ctx, stepCheck, func(ctx context.Context) (outcome, error) {
		if len(r.cfg.Check.Packs) == 0 {
			return skip("hallmark.yaml names no packs"), nil
		}
		packs, err := check.Load(r.cfg.Dir, r.cfg.Check.Packs...)
		if err != nil {
			return outcome{}, err
		}
		in := r.checkInput(&c.known)
		inputs, err := check.Inputs(in, packs, r.cfg.Check.VerdictWaivers())
		if err != nil {
			return outcome{}, err
		}
		if v, stands := standing.find(evidence.KindCheck, "", inputs); stands {
			r.book.reuse(v)
			r.book.packs(packs, r.cfg.Check.VerdictWaivers())
			before, _, err := evidence.ParseChecked(v.Statement)
			found.findings = before.Findings
			r.book.findings(found.findings)
			return skip("passed under the same packs on %s: %s", day(v.At), v.Summary.Text), err
		}
		all, err := contents()
		if err != nil {
			return outcome{}, err
		}
		result, err := checkContents(ctx, in, all, packs, r.cfg.Check.VerdictWaivers())
		if err != nil {
			return outcome{}, err
		}
		c.locate(result.Findings)
		found.findings = result.Findings
		found.state = func(s subject.Subject) (evidence.Statement, error) {
			return evidence.Checked(s, evidence.Check{
				Verifier: "https://hallmark-ci.github.io/check", Packs: packRefs(result.Packs), Rules: result.Rules, Findings: result.Findings,
			}, r.mark(result.Inputs, result.Verdict))
		}
		r.book.packs(packs, r.cfg.Check.VerdictWaivers())
		r.book.findings(result.Findings)
		if err := blocked(result.Findings); err != nil {
			return outcome{}, stopped{err}
		}
		return did("%s: %s", verdict.Plural(result.Rules, "rule"), tally(result.Findings)), nil
	})
	return found, withoutGate(err)
}

// checkInput is what the packs are asked with, but for the facts.
func (s *surroundings) checkInput(known *check.BuildFacts) check.Input {
	return check.Input{Build: known, Params: s.cfg.Check.Params, FailOn: s.cfg.Check.FailOn, Now: time.Now()}
}

func checkContents(ctx context.Context, in check.Input, contents *image.Contents, packs []*check.Pack, waivers []verdict.Waiver) (check.Result, error) {
	facts, err := contents.Facts(image.FactsOptions{Files: check.Files(packs)})
	if err != nil {
		return check.Result{}, err
	}
	in.Facts = facts
	return check.Run(ctx, in, packs, waivers)
}

func packRefs(packs []check.PackRef) []evidence.Pack {
	refs := make([]evidence.Pack, len(packs))
	for i, p := range packs {
		refs[i] = evidence.Pack{Name: p.Name, Version: p.Version, Digest: p.Digest}
	}
	return refs
}

func (b *book) packs(packs []*check.Pack, waivers []verdict.Waiver) {
	b.write(func(r *report.Report) {
		for _, p := range packs {
			r.Packs = append(r.Packs, report.Pack{Name: p.Name, Version: p.Version, Digest: p.Digest, Rules: len(p.Rules)})
		}
		r.Waivers = waivers
	})
}

func (b *book) findings(findings []verdict.Finding) {
	b.write(func(r *report.Report) {
		r.Findings = append(r.Findings, findings...)
		verdict.Sort(r.Findings)
	})
}
