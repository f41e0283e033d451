package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Start runs the embedded engine as a child process and waits until it answers.
func Start(ctx context.Context, o Options) (*Engine, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := Here(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Root, 0o700); err != nil {
		return nil, fmt.Errorf("the engine's state folder: %w", err)
	}
	locked, err := lock.Take(ctx, lock.Folder{
		Path: o.Root, File: "engine.lock", What: "the engine's state folder", Code: "engine.busy", Wait: o.LockWait,
	})
	if err != nil {
		return nil, err
	}
	defer locked.Close() // the child has its own descriptor by then, or there is no child

	e := &Engine{kind: Embedded, root: o.Root, key: make([]byte, 32)}
	if _, err := rand.Read(e.key); err != nil {
		return nil, err
	}
	c, err := spawn(o.Root, locked)
	if err != nil {
		return nil, startError(o.Root, err)
	}
	e.child = c
	if err := e.greet(ctx, o, c); err != nil {
		c.kill()
		return nil, err
	}
	return e, nil
}

// greet settles the child's settings and opens the client.
func (e *Engine) greet(ctx context.Context, o Options, c *child) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.StartWait, fmt.Errorf("it did not answer within %s", o.StartWait))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.wire.conn.SetReadDeadline(time.Now()) })
	defer stop()

	if err := c.wire.send(settings{Options: o, Key: e.key, Emulators: emulatorsIn(binfmt)}); err != nil {
		return startError(o.Root, c.explain(err))
	}
	var got answer
	if err := c.wire.receive(&got); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
			if errors.Is(err, context.Canceled) {
				return err
			}
		}
		return startError(o.Root, c.explain(err))
	}
	if got.Error != "" {
		return startError(o.Root, errors.New(got.Error))
	}
	var err error
	e.client, err = connect(ctx, "passthrough:///embedded", func(context.Context, string) (net.Conn, error) { return c.wire.dial() }, nil)
	if err != nil {
		return startError(o.Root, c.explain(err))
	}
	e.snapshotter = got.Snapshotter
	e.reason = fmt.Sprintf("the embedded engine (%s, %s, state in %s)", got.Runtime, got.Snapshotter, o.Root)
	if got.CABundle != "" {
		progress.From(ctx).Notef("build steps trust the certificates in %s", got.CABundle)
	}
	return nil
}

func startError(root string, cause error) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.start", Doing: "starting the embedded engine in", Object: root, Cause: cause,
		Remedy: "See " + logPath(root) + ", or choose another engine with BUILDKIT_HOST",
	}
}
