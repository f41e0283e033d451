package engine_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// door makes a socket behind which the embedded engine stands: a buildkitd for whoever connects to it. As Docker's it
// wants the request first that Docker's daemon wants.
func door(t *testing.T, e *engine.Engine, asDocker bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go pass(conn, e, asDocker)
		}
	}()
	return "unix://" + path
}

func pass(conn net.Conn, e *engine.Engine, asDocker bool) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	if asDocker {
		request, err := http.ReadRequest(reader)
		if err == nil && request.URL.Path == "/info" {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+`{"ServerVersion": "99.0.0", "OSType": "linux"}`)
			return
		}
		if err != nil || request.URL.Path != "/grpc" || request.Header.Get("Upgrade") != "h2c" {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	}
	inner, err := e.Dial()
	if err != nil {
		return
	}
	defer inner.Close()
	go func() { _, _ = io.Copy(inner, reader) }()
	_, _ = io.Copy(conn, inner)
}

func TestChoose(t *testing.T) {
	inner := enginetest.Shared(t)
	remote, docker := door(t, inner, false), door(t, inner, true)
	tests := map[string]struct {
		choice     engine.Choice
		host       string
		kind       engine.Kind
		reasonEnds string
	}{
		"by address":          {engine.Choice{Address: remote}, "", engine.Remote, "asked for by address"},
		"address before host": {engine.Choice{Address: remote}, "unix:///absent", engine.Remote, "asked for by address"},
		"host":                {engine.Choice{}, remote, engine.Remote, "named by BUILDKIT_HOST"},
		"docker by name":      {engine.Choice{Address: "docker"}, "", engine.Docker, "asked for by name"},
		"embedded":            {engine.Choice{Embedded: engine.Options{Root: t.TempDir()}}, "", engine.Embedded, "this is root and BUILDKIT_HOST is not set"},
		"embedded by name":    {engine.Choice{Address: "embedded", Embedded: engine.Options{Root: t.TempDir()}}, remote, engine.Embedded, "asked for by name"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("BUILDKIT_HOST", test.host)
			t.Setenv("DOCKER_HOST", docker)
			e, err := engine.Choose(t.Context(), test.choice)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if e.Kind() != test.kind || !strings.HasSuffix(e.Reason(), test.reasonEnds) {
				t.Errorf("%s: %s", e.Kind(), e.Reason())
			}
			if workers, err := e.Client().ListWorkers(t.Context()); err != nil || len(workers) != 1 {
				t.Errorf("%d workers, %v", len(workers), err)
			}
			if _, err := e.Sandbox(engine.Limits{}, nil); (err == nil) != (test.kind == engine.Embedded) {
				t.Errorf("a sandbox on %s: %v", test.kind, err)
			}
			if e.LinkBlob("sha256:00", filepath.Join(t.TempDir(), "x")) {
				t.Error("a blob that is not there was linked")
			}
		})
	}
}

func TestChooseSaysWhatIsWrong(t *testing.T) {
	absent := "unix://" + filepath.Join(t.TempDir(), "absent")
	t.Setenv("BUILDKIT_HOST", "")
	t.Setenv("DOCKER_HOST", absent)
	tests := map[string]struct {
		address string
		exit    int
		code    string
	}{
		"nobody there": {absent, verdict.ExitInconclusive, "engine.unreachable"},
		"no docker":    {"docker", verdict.ExitInconclusive, "engine.unreachable"},
		"no scheme":    {"localhost:1234", verdict.ExitUsage, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := engine.Choose(t.Context(), engine.Choice{Address: test.address})
			var found *verdict.Error
			if errors.As(err, &found); verdict.ExitCodeOf(err) != test.exit || found != nil && found.Code != test.code {
				t.Errorf("exit code %d: %v", verdict.ExitCodeOf(err), err)
			}
		})
	}
}
