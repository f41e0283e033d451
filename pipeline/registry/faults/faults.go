// Package faults makes a registry misbehave on purpose: at the Nth request it is busy, loses the connection before or
// after the write, answers from the past, or lets someone else be quicker. It is for tests and for benchmarks.
//
// An Injector is an http.RoundTripper, for a client in the same process; Proxy puts the same faults between a registry
// and any client, with real connections that are really reset. It knows nothing of what the requests are for.
package faults

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
)

// Kind is one way to misbehave.
type Kind string

const (
	RateLimit    Kind = "429"          // too many requests, with Retry-After
	Unavailable  Kind = "503"          // nothing was done
	ResetBefore  Kind = "reset-before" // the connection ends, the registry never sees the request
	ResetAfter   Kind = "reset-after"  // the registry does what is asked, its answer is lost
	Failed       Kind = "500-after"    // the registry does what is asked, and answers 500
	Stale        Kind = "stale"        // a read answers what it answered last time
	Precondition Kind = "412"          // the condition is said not to hold
	Truncated    Kind = "truncated"    // the answer breaks off in the middle of its body
	WebPage      Kind = "web-page"     // a sign-in page stands in the way
	Hook         Kind = "hook"         // Do runs before the request is passed on
)

// Kinds lists every fault that needs no Do.
var Kinds = []Kind{RateLimit, Unavailable, ResetBefore, ResetAfter, Failed, Stale, Precondition, Truncated, WebPage}

// Fault says what happens at which request.
type Fault struct {
	At         int    // the request that it happens at, from 1
	For        int    // how many requests in a row it happens to; 0: one
	Kind       Kind   // what happens
	RetryAfter string // the header with a RateLimit or Unavailable; empty: "0" and none
	Do         func() // for a Hook
}

// Injector passes requests on to Next, but for the faults. It is safe for concurrent use.
type Injector struct {
	// Next carries the requests; nil: http.DefaultTransport.
	Next http.RoundTripper
	// Faults happen at the requests that they name.
	Faults []Fault
	// Match, where given, says which requests are counted, and so may meet a fault.
	Match func(*http.Request) bool

	mu       sync.Mutex
	requests []string
	answers  map[string]*answer
}

// answer is a registry's answer that was kept for a stale read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// maxKept bounds the body of an answer that is kept.
const maxKept = 8 << 20

// Requests lists what was counted so far, "METHOD /path" each.
func (i *Injector) Requests() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.requests...)
}

// Reset forgets the count and the kept answers, and sets other faults.
func (i *Injector) Reset(faults ...Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests, i.answers, i.Faults = nil, nil, faults
}

func (i *Injector) count(req *http.Request) *Fault {
	if i.Match != nil && !i.Match(req) {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests = append(i.requests, req.Method+" "+req.URL.Path)
	for _, fault := range i.Faults {
		if n := len(i.requests); n >= fault.At && n < fault.At+max(fault.For, 1) {
			return &fault
		}
	}
	return nil
}

// RoundTrip implements http.RoundTripper.
func (i *Injector) RoundTrip(req *http.Request) (*http.Response, error) {
	fault := i.count(req)
	if fault == nil {
		return i.pass(req)
	}
	switch fault.Kind {
	case RateLimit:
		return i.instead(req, http.StatusTooManyRequests, "TOOMANYREQUESTS", cmp.Or(fault.RetryAfter, "0"))
	case Unavailable:
		return i.instead(req, http.StatusServiceUnavailable, "UNAVAILABLE", fault.RetryAfter)
	case Precondition:
		return i.instead(req, http.StatusPreconditionFailed, "PRECONDITION_FAILED", "")
	case WebPage:
		drain(req)
		return response(req, http.StatusOK, http.Header{"Content-Type": {"text/html"}}, []byte("<!doctype html><title>Sign in</title>")), nil
	case ResetBefore:
		drain(req)
		return nil, reset("before the request was read")
	case ResetAfter:
		return i.after(req, func() (*http.Response, error) { return nil, reset("before the answer arrived") })
	case Failed:
		return i.after(req, func() (*http.Response, error) {
			return response(req, http.StatusInternalServerError, nil, nil), nil
		})
	case Stale:
		return i.past(req)
	case Truncated:
		return i.truncated(req)
	case Hook:
		fault.Do()
		return i.pass(req)
	}
	return nil, fmt.Errorf("faults: there is no fault %q", fault.Kind)
}

// errReset stands under every reset, so that the proxy can make a real one of it.
var errReset = errors.New("connection reset by fault injection")

func reset(when string) error {
	return errors.Join(fmt.Errorf("%w %s", errReset, when), syscall.ECONNRESET)
}

// pass sends the request on and keeps the answer to a read of a manifest.
func (i *Injector) pass(req *http.Request) (*http.Response, error) {
	next := i.Next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(req)
	if err != nil || !keeps(req) {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKept))
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.answers == nil {
		i.answers = map[string]*answer{}
	}
	i.answers[key(req)] = &answer{status: resp.StatusCode, header: resp.Header.Clone(), body: body}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

func keeps(req *http.Request) bool {
	return (req.Method == http.MethodGet || req.Method == http.MethodHead) && strings.Contains(req.URL.Path, "/manifests/")
}

func key(req *http.Request) string { return req.Method + " " + req.URL.String() }

// past answers what the last such read was answered; without one the request is passed on.
func (i *Injector) past(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	kept := i.answers[key(req)]
	i.mu.Unlock()
	if kept == nil {
		return i.pass(req)
	}
	drain(req)
	return response(req, kept.status, kept.header.Clone(), kept.body), nil
}

func (i *Injector) after(req *http.Request, then func() (*http.Response, error)) (*http.Response, error) {
	resp, err := i.pass(req)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return then()
}

func (i *Injector) truncated(req *http.Request) (*http.Response, error) {
	resp, err := i.pass(req)
	if err != nil || req.Method == http.MethodHead {
		return resp, err
	}
	half := max(resp.ContentLength/2, 1)
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(resp.Body, half), broken{}), resp.Body}
	return resp, nil
}

// broken is the end of a body whose connection is gone.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (i *Injector) instead(req *http.Request, status int, code, retryAfter string) (*http.Response, error) {
	drain(req)
	header := http.Header{"Content-Type": {"application/json"}}
	if retryAfter != "" {
		header.Set("Retry-After", retryAfter)
	}
	body := fmt.Sprintf(`{"errors":[{"code":%q,"message":"injected"}]}`, code)
	return response(req, status, header, []byte(body)), nil
}

// drain reads a request's body as the wire would, so that a later try has to send it anew.
func drain(req *http.Request) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
}

func response(req *http.Request, status int, header http.Header, body []byte) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	length := int64(len(body))
	if req.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: length, Request: req,
	}
}
