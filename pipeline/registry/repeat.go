package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// passing names the reason for which a request failed if that reason may pass by itself, else "".
func passing(resp *http.Response, err error) string {
	if err == nil {
		switch resp.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return fmt.Sprintf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
		}
		return ""
	}
	var noToken *tokenError
	if errors.As(err, &noToken) && noToken.resp != nil {
		return passing(noToken.resp, nil)
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &certificate):
		return ""
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return ""
		}
		return "could not be looked up"
	case errors.Is(err, errIdle):
		return "stood still"
	case byProxy(err) && isRefused(err):
		return "is behind a proxy that refused the connection"
	case isRefused(err):
		return "refused the connection"
	case isReset(err), errors.Is(err, net.ErrClosed):
		return "reset the connection"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed the connection"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "took too long"
	case strings.Contains(err.Error(), "http2:"): // GOAWAY and its like have no exported type
		return "ended the HTTP/2 connection"
	}
	return ""
}

// neverSent says whether err stands for a request of which no byte can have reached the registry's handlers.
func neverSent(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var noToken *tokenError
	return errors.As(err, &noToken) || errors.As(err, &dns) || isRefused(err) || (errors.As(err, &op) && op.Op == "dial")
}

// repeatable says whether sending req again cannot do harm that sending it once did not.
//
// What a tag points to may have been moved by someone else between our write and its repetition, so a write of a tag
// is repeated only if it surely had no effect; whoever asked for it reads back and decides. Writes by digest are
// idempotent. So are tags that are derived from a digest (signatures, referrers): one writer's content.
func repeatable(req *http.Request, resp *http.Response, err error) bool {
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	switch {
	case req.Method == http.MethodGet, req.Method == http.MethodHead, req.Method == http.MethodDelete, isHarmless(req.Context()):
		return true
	case err == nil && resp.StatusCode == http.StatusTooManyRequests, err != nil && neverSent(err):
		return true
	case req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/blobs/uploads/"):
		return true // opens an upload: the worst is one that is never used
	case req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/manifests/"):
		return writesByDigest(req.URL.Path) || isOwned(req.Context())
	}
	return false
}

// digestReference is what stands at the end of a manifest's path that follows from a digest.
var digestReference = regexp.MustCompile(`/manifests/(sha256:[0-9a-f]{64}|sha256-[0-9a-f]{64}(\.(sig|att|sbom))?)$`)

func writesByDigest(path string) bool { return digestReference.MatchString(path) }

type ownedKey struct{}

// owned marks the writes made under ctx as those of a tag that nobody else writes.
func owned(ctx context.Context) context.Context { return context.WithValue(ctx, ownedKey{}, true) }

func isOwned(ctx context.Context) bool { return ctx.Value(ownedKey{}) != nil }

type harmlessKey struct{}

// harmless marks the requests made under ctx as such that change nothing, whatever their method: those for tokens.
func harmless(ctx context.Context) context.Context {
	return context.WithValue(ctx, harmlessKey{}, true)
}

func isHarmless(ctx context.Context) bool { return ctx.Value(harmlessKey{}) != nil }

// worthRepeatingAbove is the predicate of go-containerregistry's own retries: uploads, which only it can begin anew,
// but nothing that the chain has already repeated in vain.
func worthRepeatingAbove(err error) bool {
	var exhausted *exhaustedError
	if err == nil || errors.As(err, &exhausted) {
		return false
	}
	var status *transport.Error
	if errors.As(err, &status) {
		return status.Temporary() && status.Request != nil && strings.Contains(status.Request.URL.Path, "/blobs/uploads/")
	}
	return passing(nil, err) != ""
}
