package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// ServeOptions say where the embedded registry keeps its store and where it listens.
type ServeOptions struct {
	// Root is the folder of the store; it is made if it is not there.
	Root string
	// Addr is host:port on loopback, for the registry asks nobody for a password; empty: 127.0.0.1 and a free port.
	Addr string
}

// Server is an embedded registry that answers until its context ends or it is closed.
//
// Several servers, in one process or in many, may serve one root at once: the store writes each file aside and renames
// it, nothing is cached in memory, and writes of a tag take a lock in the root. It keeps referrers as distribution does,
// under the tag that stands in for the referrers API.
type Server struct {
	addr string
	http *http.Server
	app  *handlers.App
	busy atomic.Int64 // requests under way
	done chan struct{}
	err  error
}

// closeWait is how long requests under way may take to end when a server closes.
const closeWait = 3 * time.Second

// Serve starts the embedded registry: distribution on a file-system store. It returns once the address is open.
func Serve(ctx context.Context, options ServeOptions) (*Server, error) {
	setDefault(&options.Addr, "127.0.0.1:0")
	if err := checkAddr(options); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(options.Root)
	if err != nil || options.Root == "" {
		return nil, fmt.Errorf("%w: the embedded registry needs a folder for its store", verdict.ErrUsage)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("%w: making the embedded registry's store: %w", verdict.ErrUsage, err)
	}
	app, err := newApp(ctx, root)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", options.Addr)
	if err != nil {
		return nil, errors.Join(&verdict.Error{
			Verdict: verdict.Inconclusive, Code: "registry.listen", Doing: "starting the embedded registry on", Object: options.Addr,
			Cause: err, Remedy: "Choose another address, or port 0 for a free one",
		}, app.Shutdown())
	}
	server := &Server{addr: listener.Addr().String(), app: app, done: make(chan struct{})}
	guarded := &guard{next: app, locks: filepath.Join(root, "locks")}
	server.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			server.busy.Add(1)
			defer server.busy.Add(-1)
			guarded.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 20 * time.Second,
		IdleTimeout:       5 * time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that hang up are told of by the clients
	}
	sweeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	go sweep(sweeping, root)
	go func() {
		defer close(server.done)
		defer stop()
		if err := server.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			server.err = err
		}
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return server, nil
}

// Addr is host:port as clients write it.
func (s *Server) Addr() string { return s.addr }

// Wait blocks until the server has ended, and returns why if it did so by itself.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Close ends the server. Requests under way get a few seconds. It may be called more than once.
//
// http.Server's own Shutdown is not used: it also waits for connections that clients opened ahead of need, and may do
// so for five seconds.
func (s *Server) Close() error {
	for deadline := time.Now().Add(closeWait); s.busy.Load() > 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	err := s.http.Close()
	<-s.done
	return errors.Join(err, s.app.Shutdown())
}

func checkAddr(options ServeOptions) error {
	host, _, err := net.SplitHostPort(options.Addr)
	if err != nil {
		return fmt.Errorf("%w: the address %q is not host:port", verdict.ErrUsage, options.Addr)
	}
	if !secret.Loopback(host) {
		return fmt.Errorf("%w: %s can be reached from other machines, and the embedded registry asks nobody for a password; "+
			"use 127.0.0.1, and let others in through a proxy or a tunnel of yours", verdict.ErrUsage, options.Addr)
	}
	return nil
}

// newApp makes distribution's application; it reports its mistakes by panicking.
func newApp(ctx context.Context, root string) (app *handlers.App, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("starting the embedded registry on %s: %v", root, cause)
		}
	}()
	quiet()
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			storeName:     {"rootdirectory": root},
			"delete":      {"enabled": true},
			"maintenance": {"uploadpurging": map[any]any{"enabled": false}}, // see sweep
		},
	}
	config.HTTP.Secret = rand.Text() // signs the state of uploads, which stay with the server that began them
	config.HTTP.RelativeURLs = true  // clients may reach it through a forwarded port
	config.Catalog.MaxEntries = 1000
	return handlers.NewApp(context.WithoutCancel(ctx), config), nil
}
