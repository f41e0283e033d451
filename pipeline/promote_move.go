package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/promote"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// mover moves golden tags and signs the record of each move.
type mover struct {
	*surroundings
	signer   func() (*sign.Signer, error)
	by       string
	run      string
	policy   check.PackRef
	found    sign.Report // what stands beside the image
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
			if belongs(m.found, tag) == nil {
				continue
			}
			// It came there without a promotion, which this one is: from now on somebody vouches for it.
			record.From, record.At = s.Digest, time.Now().UTC()
			record.By, record.Run = m.by, m.run
			golden[i].Recorded = true
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
		if err := m.attest(ctx, move, move.To); err != nil {
			return fmt.Errorf("%s has moved, but the record of it could not be stored: %w", move.Subject().Tagged(move.Tag), err)
		}
		if move.From == "" || move.From == move.To {
			continue
		}
		// The image that the tag left must be known to have lost it. One that is gone needs no such word.
		if err := m.attest(ctx, move, move.From); err != nil && !errors.Is(err, registry.ErrNotFound) {
			return fmt.Errorf("%s has moved, but the record of it could not be stored beside the image that it left: %w", move.Subject().Tagged(move.Tag), err)
		}
	}
	return promote.Settle(m.home.journals(), record)
}

// attest stores the record of a move beside the image of that digest.
func (m *mover) attest(ctx context.Context, move promote.Record, digest string) error {
	// With the time and the run of the move itself, the statement is the same where a run that was cut off had stored it.
	statement, err := evidence.Promoted(subject.Subject{Repository: move.Repository, Digest: digest}, evidence.Promotion{
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
		return err
	}
	if digest == move.To {
		m.recorded = append(m.recorded, statement)
	}
	return nil
}
