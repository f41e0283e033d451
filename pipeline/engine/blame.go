package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Blame returns err as it is, unless its cause is that the engine is gone: then it is an inconclusive *verdict.Error
// with the code "engine.died" that says how the engine ended. Rooms pass errors of calls on Client through it before
// they blame an image.
func (e *Engine) Blame(err error) error {
	if err == nil || e.closing.Load() || !lostConnection(err) && !e.gone(0) {
		return err
	}
	switch {
	case e.daemon != nil:
		return e.daemonDied(err)
	case e.child == nil:
		if e.silent.Load() {
			err = fmt.Errorf("it has left %d questions in a row without an answer, for %s each", misses, answerWait)
		}
		return &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "engine.died", Doing: "running on", Object: e.reason, Cause: err,
			Remedy: "See whether it still runs and can be reached, and run again: what was finished is kept",
		}
	case !e.gone(2 * time.Second):
		return err // the connection broke, the process lives: not a death
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.died", Doing: "running on", Object: e.reason, Cause: e.child.explain(err),
		Remedy: "Run again: what was finished is kept. If it happens again, see " + e.child.log(),
	}
}

// daemonDied says that Docker's daemon is not there any more.
func (e *Engine) daemonDied(err error) error {
	if e.daemon.gone.Load() {
		err = errGone
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.died", Doing: "building with Docker", Object: "(" + e.reason + ")", Cause: err,
		Remedy: "See that Docker's daemon runs (its log says why it ended), then run again: finished steps are kept",
	}
}

// gone says whether the engine is known to be, after waiting a little for the news.
func (e *Engine) gone(wait time.Duration) bool {
	switch {
	case e.daemon != nil:
		return e.daemon.gone.Load()
	case e.child != nil:
		return e.child.ended(wait)
	default:
		return e.silent.Load()
	}
}

// lostConnection says whether err comes from the connection rather than from what was asked over it.
func lostConnection(err error) bool {
	return grpcerrors.Code(err) == codes.Unavailable || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// While is ctx for as long as the engine lives: it ends when the engine does. Calls on Client need it, since BuildKit's
// client waits for ever for an answer when the other side has died, or has frozen, or a network has lost it silently.
func (e *Engine) While(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	switch {
	case e.daemon != nil:
		go e.daemon.watch(ctx, func() { cancel(errGone) })
		return ctx, func() { cancel(context.Canceled) }
	case e.child == nil:
		go e.look(ctx, cancel)
		return ctx, func() { cancel(context.Canceled) }
	}
	go func() {
		select {
		case <-e.child.done():
			cancel(errGone)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

var errGone = errors.New("the engine ended, or answers no more")

// An engine that is not our child is asked every lookEvery whether it is still there. It is given up after so many
// questions in a row without an answer within answerWait: a busy one may well be late with one or two.
const (
	lookEvery = 10 * time.Second
	misses    = 3
)

func (e *Engine) look(ctx context.Context, giveUp context.CancelCauseFunc) {
	for missed := 0; missed < misses; {
		if pause.For(ctx, lookEvery) != nil {
			return
		}
		asking, cancel := context.WithTimeout(ctx, answerWait)
		_, err := e.client.Info(asking)
		cancel()
		switch code := grpcerrors.Code(err); {
		case ctx.Err() != nil:
			return
		case code == codes.DeadlineExceeded, code == codes.Unavailable, errors.Is(err, context.DeadlineExceeded):
			missed++
		default:
			missed = 0 // whatever it says, it speaks
		}
	}
	e.silent.Store(true)
	giveUp(errGone)
}
