package engine

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/moby/buildkit/client"
	"google.golang.org/grpc"
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
	child       process // nil: it is another one

	daemon *daemon // of Docker's only

	closing atomic.Bool
	silent  atomic.Bool // it does not answer any more; of another engine than the embedded one
}

// process is what runs the embedded engine, where there can be one.
type process interface {
	pid() int
	stop()                         // with everything that runs on it
	done() <-chan struct{}         // closed when it has ended
	ended(wait time.Duration) bool // waiting a little: a broken connection is noticed before its cause
	explain(err error) error       // how it ended, instead of how that was noticed
	log() string                   // path of its log
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
	return e.child.pid()
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

// Close ends the engine with everything that runs on it, within seconds. It may be called more than once.
func (e *Engine) Close() error {
	if e.closing.Swap(true) {
		return nil
	}
	err := e.client.Close()
	if e.child != nil {
		e.child.stop()
	}
	return err
}
