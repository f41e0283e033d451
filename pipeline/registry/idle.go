package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// errIdle is the cause of a request that was given up because nothing moved.
var errIdle = errors.New("nothing moved")

// commitWait is what a registry gets to answer the end of a blob's upload, when many of them copy or hash the blob.
const commitWait = 5 * time.Minute

// idle ends a request when for a while no byte is sent or received: neither a whole upload nor a whole download has a
// sensible deadline, but silence has.
type idle struct {
	next  http.RoundTripper
	limit time.Duration
}

func (i *idle) RoundTrip(req *http.Request) (*http.Response, error) {
	limit := i.limit
	if req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/blobs/uploads/") {
		limit = max(limit, commitWait)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	watch := &watch{limit: limit}
	watch.timer = time.AfterFunc(limit, func() {
		cancel(fmt.Errorf("%w for %s", errIdle, limit))
	})
	req = req.Clone(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &watchedBody{ReadCloser: req.Body, watch: watch, ctx: ctx}
	}
	resp, err := i.next.RoundTrip(req)
	if err != nil {
		watch.timer.Stop()
		err = causeOf(ctx, err)
		cancel(nil)
		return nil, err
	}
	watch.moved()
	resp.Body = &watchedBody{ReadCloser: resp.Body, watch: watch, ctx: ctx, done: func() {
		watch.timer.Stop()
		cancel(nil)
	}}
	return resp, nil
}

// causeOf replaces "context canceled" by the reason when it was our own timer that cancelled.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errIdle) {
		return cause
	}
	return err
}

type watch struct {
	limit time.Duration
	timer *time.Timer
}

func (w *watch) moved() { w.timer.Reset(w.limit) }

// watchedBody winds the watch up with every byte that passes.
type watchedBody struct {
	io.ReadCloser
	watch *watch
	ctx   context.Context
	done  func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.watch.moved()
	}
	if err != nil && err != io.EOF {
		err = causeOf(b.ctx, err)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.ReadCloser.Close()
	if b.done != nil {
		b.done()
	}
	return err
}
