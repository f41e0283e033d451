package sign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// How a service of a Sigstore is asked: so often, each time for so long.
const (
	askTries = 3
	askTime  = 20 * time.Second
	askMost  = 1 << 20 // bytes of an answer
)

// askWait is the time between the first two times; a variable for tests, which fail often.
var askWait = time.Second

// asker carries requests for one task: it ends them with the task, bounds answers, and remembers how the last one was
// answered. A server that is at fault is an error at once: whoever asks tries again, with a new request.
type asker struct {
	ctx    context.Context //nolint:containedctx // the libraries that ask take a transport and no context
	status atomic.Int64
}

// RoundTrip does one request.
func (a *asker) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	stop := context.AfterFunc(a.ctx, func() { cancel(context.Cause(a.ctx)) })
	done := func() { stop(); cancel(nil) }
	response, err := http.DefaultTransport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		a.status.Store(0)
		done()
		return nil, err
	}
	a.status.Store(int64(response.StatusCode))
	if response.StatusCode >= http.StatusInternalServerError || response.StatusCode == http.StatusTooManyRequests {
		defer done()
		defer response.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(response.Body, 512))
		return nil, fmt.Errorf("it answered %s: %s", response.Status, clip(string(said)))
	}
	response.Body = &bounded{ReadCloser: response.Body, left: askMost, done: done}
	return response, nil
}

// refused says whether the last request was answered with a refusal, which would be the same the next time.
func (a *asker) refused() bool {
	status := a.status.Load()
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusTooManyRequests
}

// bounded is a body of which so much is read and no more.
type bounded struct {
	io.ReadCloser
	left int64
	done func()
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer has more than %d bytes", askMost)
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

func (b *bounded) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// final is an error that no further try will mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// again does something until it works, is refused, or has failed too often.
func again(ctx context.Context, work func() error) error {
	for try := 1; ; try++ {
		err := work()
		if err == nil || errors.As(err, new(final)) || try == askTries || ctx.Err() != nil {
			return err
		}
		if pause.For(ctx, askWait*time.Duration(try)) != nil {
			return err
		}
	}
}

// fetcher asks a TUF repository.
type fetcher struct {
	ctx context.Context //nolint:containedctx // go-tuf's interface has none
}

// DownloadFile fetches a file of at most so many bytes.
func (f fetcher) DownloadFile(url string, most int64, _ time.Duration) (body []byte, err error) {
	err = again(f.ctx, func() error {
		body, err = f.once(url, most)
		return err
	})
	var status *metadata.ErrDownloadHTTP
	if errors.As(err, &status) {
		return nil, status // by its type TUF knows the end of a chain of roots
	}
	return body, err
}

func (f fetcher) once(url string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(f.ctx, askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		failed := &metadata.ErrDownloadHTTP{StatusCode: response.StatusCode, URL: url}
		if response.StatusCode < http.StatusInternalServerError && response.StatusCode != http.StatusTooManyRequests {
			return nil, final{failed}
		}
		return nil, failed
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err == nil && int64(len(body)) > most {
		err = final{&metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s has more than %d bytes", url, most)}}
	}
	return body, err
}

// secure says whether a token may be sent to the address.
func secure(address string) bool {
	u, err := url.Parse(address)
	return err == nil && secret.MayGoTo(u)
}
