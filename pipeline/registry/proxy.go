package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// proxyRefusal is a proxy's answer to the wish for a connection. The standard library tells of it as "Forbidden" and the like,
// which reads as the registry's own word.
type proxyRefusal struct{ host, status string }

func (p *proxyRefusal) Error() string {
	return fmt.Sprintf("the proxy %s answered %s", p.host, quoted(p.status))
}

// askedProxy makes the error of a proxy that does not connect. Its address is told without the credential that may stand in it.
func askedProxy(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{proxy.Host, answer.Status}
}

// byProxy says whether err is of the way through a proxy, which the environment names, and not of the registry's.
func byProxy(err error) bool {
	var op *net.OpError
	var refusal *proxyRefusal
	return errors.As(err, &refusal) || errors.As(err, &op) && op.Op == "proxyconnect"
}
