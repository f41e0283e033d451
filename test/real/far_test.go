//go:build real

package real

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
)

// distribution builds the registry that most of the world runs, once.
var distribution = sync.OnceValues(func() (string, error) {
	path := filepath.Join(work, "registry")
	return path, compile(path, "./test/real/distribution")
})

// far is a registry of its own process that can go down and come back.
type far struct {
	addr     string // of the proxy: what images are named by
	injector *faults.Injector

	config string
	inner  string // of the registry itself
	cmd    *exec.Cmd
}

// newFar starts distribution's own registry behind a proxy that counts the requests and can carry them by transport.
func newFar(t *testing.T, transport http.RoundTripper) *far {
	t.Helper()
	dir, err := os.MkdirTemp(work, "far-")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{inner: freeAddress(t), config: filepath.Join(dir, "config.yml"), injector: &faults.Injector{Next: transport}}
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\nhttp: {addr: %s}\n",
		filepath.Join(dir, "data"), f.inner)
	if err := os.WriteFile(f.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f.up(t)
	t.Cleanup(f.down)
	handler, err := faults.Proxy("http://"+f.inner, f.injector)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(handler)
	t.Cleanup(proxy.Close)
	f.addr = strings.TrimPrefix(proxy.URL, "http://")
	return f
}

// up starts the registry and waits until it answers.
func (f *far) up(t *testing.T) {
	t.Helper()
	path, err := distribution()
	if err != nil {
		t.Fatal(err)
	}
	f.cmd = exec.Command(path, "serve", f.config)
	log, err := os.OpenFile(f.config+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	f.cmd.Stdout, f.cmd.Stderr = log, log
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	f.cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + f.inner + "/v2/")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the registry does not answer: %v\n%s", err, tailOf(f.config+".log"))
		}
	}
}

// down ends the registry as an outage does.
func (f *far) down() {
	if f.cmd != nil {
		_ = f.cmd.Process.Kill()
		_ = f.cmd.Wait()
		f.cmd = nil
	}
}

// writes are the requests so far that were to change something.
func (f *far) writes() (all []string) {
	for _, request := range f.injector.Requests() {
		if !strings.HasPrefix(request, "GET ") && !strings.HasPrefix(request, "HEAD ") {
			all = append(all, request)
		}
	}
	return all
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// serve serves the home's embedded registry with the program's own verb, and returns its address.
func (h home) serve(t *testing.T) string {
	t.Helper()
	addr := freeAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "registry", "serve", "--addr", addr)
	cmd.Env = append(os.Environ(), "HALLMARK_HOME="+h.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + addr + "/v2/")
		if err == nil {
			resp.Body.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("hallmark registry serve does not answer: %v", err)
		}
	}
}
