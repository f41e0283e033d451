package faults

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// Proxy is a handler that passes requests on to the registry at target ("http://127.0.0.1:5000") through the injector.
// A reset is a real one: the client's connection ends with an RST.
func Proxy(target string, injector *Injector) (http.Handler, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // so that the registry names the proxy in its Location headers
		},
		Transport:    injector,
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: breakConnection,
	}, nil
}

// breakConnection ends the client's connection without an answer; lingering for zero seconds makes it an RST.
func breakConnection(w http.ResponseWriter, _ *http.Request, err error) {
	hijacker, ok := w.(http.Hijacker)
	if !ok || !errors.Is(err, errReset) {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	connection, _, err := hijacker.Hijack()
	if err != nil {
		return
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}
