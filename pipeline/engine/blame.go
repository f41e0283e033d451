package engine

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

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
		return unreachable(e.reason, err)
	case !e.gone(2 * time.Second):
		return err // the connection broke, the process lives: not a death
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.died", Doing: "running on", Object: e.reason, Cause: e.child.explain(err),
		Remedy: "Run again: what was finished is kept. If it happens again, see " + e.child.log,
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

func (e *Engine) gone(wait time.Duration) bool {
	if e.daemon != nil {
		return e.daemon.gone.Load()
	}
	return e.child != nil && e.child.ended(wait)
}

// lostConnection says whether err comes from the connection rather than from what was asked over it.
func lostConnection(err error) bool {
	return grpcerrors.Code(err) == codes.Unavailable || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// While is ctx for as long as the engine lives: it ends when the engine does, or when Docker's daemon answers no more.
// Calls on Client need it, since BuildKit's client waits for a container's process for ever when the other side has died.
func (e *Engine) While(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	switch {
	case e.daemon != nil:
		go e.daemon.watch(ctx, func() { cancel(errGone) })
	case e.child != nil:
		go func() {
			select {
			case <-e.child.done:
				cancel(errGone)
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}

var errGone = errors.New("the engine ended, or answers no more")
