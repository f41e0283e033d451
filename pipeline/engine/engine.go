package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/moby/buildkit/client"
	"google.golang.org/grpc"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Kind says which BuildKit an Engine is.
type Kind string

const (
	Embedded Kind = "embedded" // a child process of this one
	Remote   Kind = "remote"   // a buildkitd that an address names
	Docker   Kind = "docker"   // the one inside Docker's daemon
)

// Engine is a BuildKit that answers. Close it.
type Engine struct {
	kind   Kind
	reason string
	client *client.Client

	// Of the embedded engine only.
	root        string
	snapshotter string
	key         []byte
	child       *child

	daemon *daemon // of Docker's only

	closing atomic.Bool
	silent  atomic.Bool // it does not answer any more; of another engine than the embedded one
}

// Client is the connection; it stays the Engine's and is closed with it.
func (e *Engine) Client() *client.Client { return e.client }

// Kind says which BuildKit this is.
func (e *Engine) Kind() Kind { return e.kind }

// Reason says in words which BuildKit this is and why it was taken.
func (e *Engine) Reason() string { return e.reason }

// Process is the process id of the embedded engine; 0: another engine.
func (e *Engine) Process() int {
	if e.child == nil {
		return 0
	}
	return e.child.cmd.Process.Pid
}

// Start runs the embedded engine as a child process and waits until it answers.
func Start(ctx context.Context, o Options) (*Engine, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "engine.not-root", Doing: "starting the embedded engine",
			Cause:  errors.New("it makes mounts and namespaces, which needs root"),
			Remedy: "Run as root, or set BUILDKIT_HOST to a BuildKit that you may use",
		}
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
	e.child, err = spawn(o.Root, locked)
	if err != nil {
		return nil, startError(o.Root, err)
	}
	if err := e.greet(ctx, o); err != nil {
		e.child.kill()
		return nil, err
	}
	return e, nil
}

// greet settles the child's settings and opens the client.
func (e *Engine) greet(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.StartWait, fmt.Errorf("it did not answer within %s", o.StartWait))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = e.child.wire.conn.SetReadDeadline(time.Now()) })
	defer stop()

	if err := e.child.wire.send(settings{Options: o, Key: e.key, Emulators: emulatorsIn(binfmt)}); err != nil {
		return startError(o.Root, e.child.explain(err))
	}
	var got answer
	if err := e.child.wire.receive(&got); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
			if errors.Is(err, context.Canceled) {
				return err
			}
		}
		return startError(o.Root, e.child.explain(err))
	}
	if got.Error != "" {
		return startError(o.Root, errors.New(got.Error))
	}
	var err error
	e.client, err = connect(ctx, "passthrough:///embedded", func(context.Context, string) (net.Conn, error) { return e.child.wire.dial() }, nil)
	if err != nil {
		return startError(o.Root, e.child.explain(err))
	}
	e.snapshotter = got.Snapshotter
	e.reason = fmt.Sprintf("the embedded engine (%s, %s, state in %s)", got.Runtime, got.Snapshotter, o.Root)
	if got.CABundle != "" {
		progress.From(ctx).Notef("build steps trust the certificates in %s", got.CABundle)
	}
	return nil
}

// connect opens a client that never goes idle: a connection to the child cannot be found again by address.
func connect(ctx context.Context, address string, dial func(context.Context, string) (net.Conn, error), more []client.ClientOpt) (*client.Client, error) {
	quiet()
	opts := append([]client.ClientOpt{client.WithGRPCDialOption(grpc.WithIdleTimeout(0))}, more...)
	if dial != nil {
		opts = append(opts, client.WithContextDialer(dial))
	}
	return client.New(ctx, address, opts...)
}

func startError(root string, cause error) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.start", Doing: "starting the embedded engine in", Object: root, Cause: cause,
		Remedy: "See " + logPath(root) + ", or choose another engine with BUILDKIT_HOST",
	}
}

// Close ends the engine with everything that runs on it, within seconds. It may be called more than once.
func (e *Engine) Close() error {
	if e.closing.Swap(true) {
		return nil
	}
	err := e.client.Close()
	if e.child != nil {
		e.child.stop()
		dropGroups(e.root, detectCgroups(cgroupMount))
	}
	return err
}
