package promote

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Move makes the tag point to the subject: look, compare, write, read back.
//
// When it returns no error, the tag pointed to the subject when it was read back. When it returns one, the tag is
// untouched, or it is moved and the error says so, or nobody knows (the registry no longer answers) and the journal
// does: calling Move again finishes or tells.
func Move(ctx context.Context, reg Registry, request Request) (record Record, err error) {
	ctx, task := progress.Start(ctx, "%s -> %s", request.object(), request.Subject.Short())
	defer func() {
		if record.Outcome == Unchanged {
			task.Skip("it points there already")
			return
		}
		task.End(err)
	}()
	plan, err := Look(ctx, reg, request)
	if err != nil {
		return Record{}, err
	}
	log := journal{folder: request.Journal}
	record, open, err := log.resolve(plan)
	if err != nil || !plan.Needed {
		return record, err
	}
	if err := log.write(open); err != nil {
		return Record{}, err
	}
	m := &mover{registry: reg, plan: plan, patience: request.Patience.withDefaults()}
	if err := m.move(ctx); err != nil {
		if !mayHaveMoved(err) {
			err = withTrouble(err, log.forget(open))
		}
		return Record{}, err
	}
	if m.byOther {
		record.Outcome = Unchanged
	}
	return record, nil
}

// mover writes and reads back one planned move.
type mover struct {
	registry Registry
	plan     Plan
	patience Patience
	byOther  bool // someone else moved the tag to where it was wanted
}

func (m *mover) move(ctx context.Context) error {
	for write := 1; ; write++ {
		err := m.write(ctx)
		switch {
		case err == nil:
			return m.readBack(ctx)
		case errors.Is(err, registry.ErrUncertain), errors.Is(err, verdict.ErrConflict):
			again, settled := m.settle(ctx, err)
			if !again || write == m.patience.Writes {
				return settled
			}
			progress.From(ctx).Notef("the answer to the write was lost and the tag has not moved; writing again (%d of %d)", write+1, m.patience.Writes)
		default:
			return err
		}
	}
}

func (m *mover) write(ctx context.Context) error {
	request := m.plan.Request
	return m.registry.Tag(ctx, request.Subject, request.Tag, registry.TagOptions{
		IfMatch: m.plan.From, IfAbsent: m.plan.From == "", Manifest: request.Manifest,
	})
}

// settle finds out what became of a write that was refused or whose answer was lost. again says that it had no effect
// and may be repeated; otherwise settled is the end of the promotion.
func (m *mover) settle(ctx context.Context, cause error) (again bool, settled error) {
	holder, err := m.head(ctx)
	if err != nil {
		return false, unknown(m.plan, cause, err)
	}
	switch {
	case holder == m.plan.Request.Subject.Digest:
		m.byOther = errors.Is(cause, verdict.ErrConflict)
		return false, nil
	case holder != m.plan.From:
		return false, conflict(m.plan.Request, holder, "pointed to "+orNothing(m.plan.From)+" when we looked")
	case errors.Is(cause, verdict.ErrConflict):
		return false, refused(m.plan, cause)
	}
	return true, unknown(m.plan, cause, errors.New("reading it back shows the old digest still"))
}

// readBack looks until the tag shows the subject, bearing for a while with answers from the past.
func (m *mover) readBack(ctx context.Context) error {
	wait := m.patience.Wait
	for read := 1; ; read++ {
		holder, err := m.head(ctx)
		switch {
		case err != nil:
			return unknown(m.plan, nil, err)
		case holder == m.plan.Request.Subject.Digest:
			return nil
		case read > 1 && holder != m.plan.From:
			return conflict(m.plan.Request, holder, "was moved to "+m.plan.Request.Subject.Digest+" a moment ago")
		case read > m.patience.Reads:
			return unknown(m.plan, nil, fmt.Errorf("the registry took the write, but after %d reads the tag still points to %s", read, orNothing(holder)))
		}
		progress.From(ctx).Notef("%s still shows %s after the write; reading again in %s (%d of %d)",
			m.plan.Request.object(), orNothing(holder), wait, read, m.patience.Reads)
		if err := pause.For(ctx, wait); err != nil {
			return unknown(m.plan, nil, err)
		}
		wait *= 2
	}
}

func (m *mover) head(ctx context.Context) (string, error) {
	digest, found, err := m.registry.Head(ctx, m.plan.Request.Subject.Repository, m.plan.Request.Tag)
	if err != nil || !found {
		return "", err
	}
	return digest, nil
}

func orNothing(digest string) string {
	return cmp.Or(subject.Short(digest), "nothing")
}
