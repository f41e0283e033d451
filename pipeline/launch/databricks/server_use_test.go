package databricks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// left are the clusters that are still there.
func (s *server) left() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id := range s.clusters {
		ids = append(ids, id)
	}
	return ids
}

func (s *server) count(request string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, name := range s.requests {
		if name == request {
			n++
		}
	}
	return n
}

const testDigest = "sha256:4633bba9c2cf97e74d67a8f6f70e41765e5cf9057a5ac3dc4b8c1120dc3fd7c4"

// transport reaches the server, and nobody else; the token goes along as the SDK would read it from the environment.
func (s *server) options() Options {
	return Options{
		Settings: Settings{Host: s.http.URL, Runtime: "16.4", NodeType: Smallest, Retries: 2},
		Tag:      "registry.example.com/platform/dbr:staging-1",
		wait:     func(ctx context.Context, _ time.Duration) error { return pause.For(ctx, time.Millisecond) },
	}
}

func testSpec(probes ...launch.Probe) launch.Spec {
	return launch.Spec{
		Subject: subject.Subject{Repository: "registry.example.com/platform/dbr", Digest: testDigest}, Profile: launch.Databricks, Probes: probes,
		Timeout: time.Minute, RunID: "20261122-001122-abcdef", Owner: "ci@build host",
	}
}

func python(code, contains string) launch.Probe {
	return launch.Probe{Kind: launch.Python, Code: code, Contains: contains}
}

// keepBodies adds what clusters are created from to a list, until the returned function is called.
func (s *server) keepBodies(to *[]createBody) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = to
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept = nil
	}
}

// before has something done when the first request of a kind comes, before it is answered.
func (s *server) before(request string, do func()) {
	s.script(request, func(http.ResponseWriter, *http.Request) bool { do(); return false })
}

// doneAndLostQuietly does what was asked, and keeps the answer.
func (s *server) doneAndLostQuietly(r *http.Request) { s.usual(httptest.NewRecorder(), r) }
