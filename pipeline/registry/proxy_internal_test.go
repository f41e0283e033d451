package registry

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestProxyIsNamed: a proxy that is not there, or does not connect, is told as such, without its password; the registry
// behind it has said nothing.
func TestProxyIsNamed(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("the proxy was asked to %s", r.Method)
		}
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(refusing.Close)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := gone.Addr().String()
	gone.Close()
	for address, says := range map[string]string{
		strings.TrimPrefix(refusing.URL, "http://"): "answered 407 Proxy Authentication Required",
		nobody: "proxyconnect",
	} {
		roads := newTransport(nil)
		roads.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: address, User: url.UserPassword("somebody", "s3cr3t")})
		client, err := New(Options{Transport: roads, MaxRetries: -1})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = client.Head(context.Background(), "registry.example.com/team/app", "golden")
		known := (*verdict.Error)(nil)
		if !errors.As(err, &known) || known.Verdict != verdict.Inconclusive || !strings.Contains(err.Error(), says) ||
			!strings.Contains(known.Remedy, "HTTPS_PROXY") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("error is %v, want one that says %q and how to mend the proxy", err, says)
		}
	}
}

// TestProxyThatRefuses is told as what it is while the request is repeated.
func TestProxyThatRefuses(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := gone.Addr().String()
	gone.Close()
	roads := newTransport(nil)
	roads.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: address})
	_, err = (&http.Client{Transport: roads}).Get("https://registry.example.com/v2/")
	if why := passing(nil, err); why != "is behind a proxy that refused the connection" {
		t.Errorf("%q (%v)", why, err)
	}
	_, err = http.Get("http://" + address)
	if why := passing(nil, err); why != "refused the connection" {
		t.Errorf("%q (%v)", why, err)
	}
}
