package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/promote"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
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
		judged, err := r.judge(ctx, s.subject, trust)
		if err != nil {
			return outcome{}, err
		}
		r.book.findings(judged.Findings)
		if err := blocked(judged.Findings); err != nil {
			return outcome{}, err
		}
		m := mover{surroundings: r.surroundings, signer: r.key.get, by: r.owner, run: r.id, policy: judged.Packs[0]}
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
	var moved, there []string
	for _, g := range golden {
		tag := g.Ref[strings.LastIndex(g.Ref, ":")+1:]
		if g.Move == report.Already {
			there = append(there, tag)
		} else {
			moved = append(moved, tag)
		}
	}
	if len(moved) == 0 {
		return skip("%s points to it already; nothing was written", strings.Join(there, ", "))
	}
	return did("%s moved, read back and recorded", strings.Join(moved, ", "))
}

// judge verifies the evidence of s and asks the promotion pack about it.
func (w *surroundings) judge(ctx context.Context, s subject.Subject, trust trust) (check.Result, error) {
	found, err := sign.Verify(ctx, w.registry, s, trust.policy(0))
	if err != nil {
		return check.Result{}, err
	}
	return w.ask(ctx, s, found, time.Duration(w.cfg.Promote.MaxAge))
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

// mover moves golden tags and signs the record of each move.
type mover struct {
	*surroundings
	signer   func() (*sign.Signer, error)
	by       string
	run      string
	policy   check.PackRef
	recorded []evidence.Statement
}

func (m *mover) move(ctx context.Context, s subject.Subject, manifest registry.Manifest, tags []string) ([]report.Golden, error) {
	golden := make([]report.Golden, len(tags))
	for i, tag := range tags {
		golden[i] = report.Golden{Ref: s.Tagged(tag), Move: report.Untouched}
	}
	for i, tag := range tags {
		request := promote.Request{Subject: s, Tag: tag, Manifest: manifest, Journal: m.home.journals(), By: m.by, Run: m.run}
		record, err := promote.Move(ctx, m.registry, request)
		if err != nil {
			if verdict.ExitCodeOf(err) == verdict.ExitConflict {
				golden[i].Move = report.Conflict
			}
			return golden, err
		}
		golden[i].Move, golden[i].From, golden[i].To, golden[i].At = report.Moved, record.From, record.To, record.At
		if record.Outcome == promote.Unchanged {
			golden[i].Move = report.Already
			continue
		}
		if err := m.record(ctx, record); err != nil {
			return golden, err
		}
	}
	return golden, nil
}

// record signs the move, also one of an earlier run that was cut off before it could, and then forgets the journal.
func (m *mover) record(ctx context.Context, record promote.Record) error {
	for _, move := range append(record.Earlier, record) {
		// With the time and the run of the move itself, the statement is the same where a run that was cut off had stored it.
		statement, err := evidence.Promoted(move.Subject(), evidence.Promotion{
			Tag: move.Tag, From: move.From, To: move.To, By: move.By, At: move.At,
			Policy: evidence.Pack{Name: m.policy.Name, Version: m.policy.Version, Digest: m.policy.Digest},
		}, evidence.Mark{Inputs: evidence.Inputs(map[string]string{"policy": m.policy.Digest, "tag": move.Tag}), At: move.At, Run: cmp.Or(move.Run, m.run)})
		if err != nil {
			return err
		}
		signer, err := m.signer()
		if err != nil {
			return err
		}
		if err := signer.Attest(ctx, m.registry, statement, sign.AttestOptions{Tags: m.cfg.Sign.Tags}); err != nil {
			return fmt.Errorf("%s has moved, but the record of it could not be stored: %w", move.Subject().Tagged(move.Tag), err)
		}
		m.recorded = append(m.recorded, statement)
	}
	return promote.Settle(m.home.journals(), record)
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
