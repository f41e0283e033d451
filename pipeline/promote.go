package pipeline

import (
	"context"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// promote moves the golden tags to the staged image, once its evidence verifies and satisfies the promotion policy.
func (r *run) promote(ctx context.Context, s staged) error {
	return r.book.step(ctx, stepPromote, func(ctx context.Context) (outcome, error) {
		if len(r.cfg.Promote.Tags) == 0 {
			return skip("hallmark.yaml names no golden tag"), nil
		}
		trust, err := r.trust(ctx)
		if err != nil {
			return outcome{}, err
		}
		found, judged, err := r.judge(ctx, s.subject, trust)
		if err != nil {
			return outcome{}, err
		}
		r.book.findings(judged.Findings)
		if err := blocked(judged.Findings); err != nil {
			return outcome{}, err
		}
		m := mover{surroundings: r.surroundings, signer: r.key.get, by: r.owner, run: r.id, policy: judged.Packs[0], found: found}
		golden, err := m.move(ctx, s.subject, s.manifest, r.cfg.Promote.Tags)
		r.book.write(func(rep *report.Report) { rep.Golden = golden })
		if err != nil {
			return outcome{}, err
		}
		if len(m.recorded) > 0 {
			signer, err := r.key.get()
			if err != nil {
				return outcome{}, err
			}
			r.book.signed(signer, false, m.recorded)
		}
		return promoted(golden), nil
	})
}

func promoted(golden []report.Golden) outcome {
	var moved, there, recorded []string
	for _, g := range golden {
		tag := g.Ref[strings.LastIndex(g.Ref, ":")+1:]
		switch {
		case g.Recorded:
			recorded = append(recorded, tag)
		case g.Move == report.Already:
			there = append(there, tag)
		default:
			moved = append(moved, tag)
		}
	}
	switch {
	case len(moved) > 0:
		return did("%s moved, read back and recorded", strings.Join(moved, ", "))
	case len(recorded) > 0:
		return did("%s points to it already, and is recorded now", strings.Join(recorded, ", "))
	}
	return skip("%s points to it already; nothing was written", strings.Join(there, ", "))
}

// judge verifies the evidence of s and asks the promotion pack about it.
func (w *surroundings) judge(ctx context.Context, s subject.Subject, trust trust) (sign.Report, check.Result, error) {
	found, err := sign.Verify(ctx, w.registry, s, trust.policy(0))
	if err != nil {
		return found, check.Result{}, err
	}
	judged, err := w.ask(ctx, s, found, time.Duration(w.cfg.Promote.MaxAge))
	return found, judged, err
}

// ask lets the promotion pack judge verified evidence that is at most maxAge old (0: any age).
func (w *surroundings) ask(ctx context.Context, s subject.Subject, found sign.Report, maxAge time.Duration) (check.Result, error) {
	policy, err := promotionPolicy(w.cfg)
	if err != nil {
		return check.Result{}, err
	}
	demands, err := w.demands(s, maxAge)
	if err != nil {
		return check.Result{}, err
	}
	return check.Promotion(ctx, check.PromotionInput{Subject: s, Evidence: testimony(s, found), Params: demands, Now: time.Now()}, policy)
}

// testimony is verified evidence in the words of the promotion pack.
func testimony(s subject.Subject, found sign.Report) []check.Evidence {
	now := time.Now() // a plain signature bears no date: it holds as long as its key is trusted
	var all []check.Evidence
	for _, signature := range found.Signatures {
		all = append(all, check.Evidence{PredicateType: evidence.TypeSignature, Subject: s, Signer: signature.Signer, At: now, Ref: signature.Ref})
	}
	for _, v := range found.Evidence {
		e := check.Evidence{
			PredicateType: v.Statement.PredicateType, Subject: v.Statement.Subject, Signer: v.Signer, At: v.At, Verdict: v.Summary.Verdict, Ref: v.Ref,
		}
		switch v.Summary.Kind {
		case evidence.KindPromotion:
			if p, _, err := evidence.ParsePromoted(v.Statement); err != nil || p.To != s.Digest {
				continue // of the tag's move away from it
			}
		case evidence.KindLaunch:
			e.Target, _, _ = strings.Cut(v.Summary.Slot, "/")
			e.Slot = v.Summary.Slot
			if l, _, err := evidence.ParseLaunched(v.Statement); err == nil {
				for _, p := range l.Probes {
					e.Probes = append(e.Probes, p.Name)
				}
			}
		case evidence.KindCheck:
			if c, _, err := evidence.ParseChecked(v.Statement); err == nil {
				for _, p := range c.Packs {
					e.Packs = append(e.Packs, check.PackRef{Name: p.Name, Version: p.Version, Digest: p.Digest})
				}
			}
		case evidence.KindVulnerabilities:
			if scan, _, err := evidence.ParseVulnerabilities(v.Statement); err == nil {
				e.DatabaseUpdatedAt = scan.Database.Updated
				if s := scan.Settings; s != nil {
					e.Scan = &check.ScanSettings{FailOn: s.FailOn, FixableOnly: s.FixableOnly, Secrets: s.Secrets}
				}
			}
		}
		all = append(all, e)
	}
	return all
}

// promotionParams are the demands in the words of the promotion pack.
func promotionParams(required []config.EvidenceKind, maxAge time.Duration) map[string]any {
	require := []any{}
	for _, kind := range required {
		require = append(require, string(kind))
	}
	return map[string]any{
		"require":                 require,
		"max_age":                 ageLimit(maxAge),
		"max_age_vulnerabilities": ageLimit(maxAge),
		// How old a database may be is settled where it is opened, before anything is scanned with it.
		"max_age_database": ageLimit(0),
	}
}

// ageLimit writes a limit as packs read it; for one that allows any age, longer than anything lasts.
func ageLimit(limit time.Duration) string {
	if limit == 0 {
		return "876000h"
	}
	return limit.String()
}

const promotionPack = "promotion"

// promotionPolicy is the pack that judges promotions.
func promotionPolicy(cfg *config.Config) (*check.Pack, error) {
	packs, err := check.Load(cfg.Dir, promotionPack)
	if err != nil {
		return nil, err
	}
	return packs[0], nil
}
