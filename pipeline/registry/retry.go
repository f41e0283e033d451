package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// maxWait is the longest single wait that the back-off grows to; what Retry-After asks for may be longer.
const maxWait = 20 * time.Second

// policy is how much patience there is.
type policy struct {
	retries int
	total   time.Duration
	first   time.Duration
}

func policyOf(o Options) policy {
	return policy{retries: o.MaxRetries, total: o.RetryFor, first: o.RetryWait}
}

// wait is the pause before the try after try (from 1): doubling, with a quarter of jitter so that many runners that
// were turned away together do not come back together.
func (p policy) wait(try int) time.Duration {
	wait := min(p.first<<min(try-1, 16), maxWait)
	return wait + time.Duration((rand.Float64()-0.5)*0.5*float64(wait))
}

// retrier repeats what failed for a passing reason and is safe to repeat.
type retrier struct {
	next   http.RoundTripper
	policy policy
}

func (r *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	started := time.Now()
	for try := 1; ; try++ {
		attempt, err := rewound(req, try)
		if err != nil {
			return nil, err
		}
		resp, err := r.next.RoundTrip(attempt)
		reason := passing(resp, err)
		if reason == "" || !repeatable(req, resp, err) {
			return resp, err
		}
		asked := retryAfter(resp, time.Now())
		wait := max(r.policy.wait(try), asked)
		if left := r.policy.total - time.Since(started); try > r.policy.retries || wait > left {
			return exhaust(resp, err, try, asked, left)
		}
		discard(resp)
		announce(req.Context(), req.URL.Host, reason, wait, try, r.policy.retries)
		if err := pause.For(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

func announce(ctx context.Context, host, reason string, wait time.Duration, try, retries int) {
	progress.From(ctx).Notef("%s %s; asking again in %s (retry %d of %d)", host, reason, rounded(wait), try, retries)
}

// rounded is a duration as people read it: to the millisecond below a second, to the tenth above.
func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// rewound is the request for one try: the first sends req as it is, later ones need its body again.
func rewound(req *http.Request, try int) (*http.Request, error) {
	if try == 1 {
		return req, nil
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("reading the request's body again: %w", err)
		}
		again.Body = body
	}
	return again, nil
}

// exhaustedError says that the client has repeated a request as often as it may.
type exhaustedError struct {
	tries int
	err   error
}

func (e *exhaustedError) Error() string {
	if e.tries == 1 {
		return e.err.Error()
	}
	return fmt.Sprintf("%s (after %d tries)", e.err, e.tries)
}
func (e *exhaustedError) Unwrap() error { return e.err }

// triesHeader carries the number of tries, and the patience that was missing, to the error that is made of a response.
const (
	triesHeader = "X-Hallmark-Tries"
	askedHeader = "X-Hallmark-Asked-To-Wait"
)

func exhaust(resp *http.Response, err error, tries int, asked, left time.Duration) (*http.Response, error) {
	if err != nil {
		return nil, &exhaustedError{tries: tries, err: err}
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	resp.Header.Set(triesHeader, strconv.Itoa(tries))
	if asked > left {
		resp.Header.Set(askedHeader, asked.String())
	}
	return resp, nil
}

// discard reads a little of a body that nobody wants, so that the connection can be used again.
func discard(resp *http.Response) {
	if resp != nil && resp.Body != nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		_ = resp.Body.Close()
	}
}

// retryAfter is what the registry asked for, in seconds or as a date; 0: nothing that can be read.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp == nil {
		return 0
	}
	return parseRetryAfter(resp.Header.Get("Retry-After"), now)
}

func parseRetryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// peek reads up to limit bytes of a body and leaves the response readable.
func peek(resp *http.Response, limit int64) ([]byte, error) {
	head, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(head))
	return head, errors.Join(err)
}
