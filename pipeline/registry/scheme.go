package registry

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// plainHosts are the hosts that are spoken to without TLS, besides loopback.
type plainHosts []string

// has says whether host ("name" or "name:port") is spoken to without TLS. An entry without a port stands for every port.
func (p plainHosts) has(host string) bool {
	bare := bareHost(host)
	if secret.Loopback(bare) {
		return true
	}
	for _, plain := range p {
		if strings.EqualFold(plain, host) || strings.EqualFold(plain, bare) {
			return true
		}
	}
	return false
}

func bareHost(host string) string {
	if bare, _, err := net.SplitHostPort(host); err == nil {
		return bare
	}
	return strings.Trim(host, "[]")
}

// scheme is the top of the chain: it fixes HTTP or HTTPS by host, whatever the library above guessed.
type scheme struct {
	next      http.RoundTripper
	plain     plainHosts
	userAgent string
}

func (s *scheme) RoundTrip(req *http.Request) (*http.Response, error) {
	// go-containerregistry asks /v2/ for a challenge before everything else, once per object. The chain below
	// authenticates when it is asked to, so the answer is always that nothing is needed.
	if req.Method == http.MethodGet && req.URL.Path == "/v2/" {
		return &http.Response{
			StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: http.NoBody, Request: req,
		}, nil
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", s.userAgent)
	plain := s.plain.has(req.URL.Host)
	switch {
	case strings.HasPrefix(req.URL.Path, "/v2/") && plain:
		req.URL.Scheme = "http"
	case strings.HasPrefix(req.URL.Path, "/v2/"):
		req.URL.Scheme = "https"
	case req.URL.Scheme != "https" && !plain:
		closeBody(req.Body)
		return nil, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "registry.plain-http",
			Doing: "following the registry to", Object: "http://" + req.URL.Host,
			Cause:  marked{errors.New("it is plain HTTP, which was not asked for"), verdict.ErrUsage},
			Remedy: "Name " + req.URL.Host + " among the plain-HTTP hosts if that is meant",
		}
	}
	return s.next.RoundTrip(req)
}

// checkRedirect follows a registry to its blob store, but never a write, and never to a link-local address,
// where clouds keep their metadata services.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return fmt.Errorf("the registry redirected ten times")
	}
	if method := via[0].Method; method != http.MethodGet && method != http.MethodHead {
		return http.ErrUseLastResponse
	}
	return refuseLinkLocal(req.URL.Host)
}

func refuseLinkLocal(host string) error {
	if addr, err := netip.ParseAddr(bareHost(host)); err == nil && addr.Unmap().IsLinkLocalUnicast() {
		return fmt.Errorf("the registry points to the link-local address %s, which is refused", host)
	}
	return nil
}

func closeBody(body io.Closer) {
	if body != nil {
		_ = body.Close()
	}
}
