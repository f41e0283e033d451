package registry_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// memory is a folder that need not reach a disk, where there is one.
func memory(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "hallmark-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// serve answers every request with handler, and returns host:port.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return strings.TrimPrefix(server.URL, "http://")
}

// notes gathers what people are told.
type notes struct {
	mu   sync.Mutex
	text []string
	last progress.Event
}

func (n *notes) Event(e progress.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Kind == progress.Noted || e.Kind == progress.Skipped {
		n.text = append(n.text, e.Text)
	}
	if e.Kind == progress.Advanced {
		n.last = e
	}
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.text, "\n")
}

// transport is a function as an http.RoundTripper.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

var exampleContext = context.Background()

func exitCode(err error) int { return verdict.ExitCodeOf(err) }
