package build_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// fails builds what must not succeed, and returns its error.
func fails(t *testing.T, e *engine.Engine, o build.Options) error {
	t.Helper()
	o.Layout = filepath.Join(t.TempDir(), "layout")
	_, err := build.Run(t.Context(), e, o)
	if err == nil {
		t.Fatal("the build succeeded")
	}
	return err
}

func code(err error) string {
	if found := (*verdict.Error)(nil); errors.As(err, &found) {
		return found.Code
	}
	return ""
}

func TestFailuresReadWell(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	tests := map[string]struct {
		dockerfile string
		exit       int
		code       string
	}{
		"step": {
			"FROM scratch\nCOPY sh /bin/sh\nRUN complain getting ready && \\\n    complain almost there && \\\n    fail 7 out of ideas\n",
			verdict.ExitFail, "build.step-failed",
		},
		"stage": {
			"FROM scratch AS other\nCOPY sh /bin/sh\nRUN fail 3 in another stage\n\nFROM scratch\nCOPY --from=other /bin/sh /bin/sh\n",
			verdict.ExitFail, "build.step-failed",
		},
		"network-step": {
			"FROM scratch\nCOPY sh /bin/sh\nRUN fail 100 curl: (6) Could not resolve host: deb.example.org\n",
			verdict.ExitInconclusive, "build.step-unreachable",
		},
		"missing-file":        {"FROM scratch\nCOPY sh /bin/sh\nCOPY nothing /there\n", verdict.ExitFail, "build.dockerfile"},
		"unknown-instruction": {"FROM scratch\nCOPPY sh /bin/sh\n", verdict.ExitFail, "build.dockerfile"},
		"unreachable":         {"FROM 127.0.0.1:1/base:1\n", verdict.ExitInconclusive, "build.unreachable"},
		"unknown-host":        {"FROM registry.invalid/base:1\n", verdict.ExitInconclusive, "build.unreachable"},
		"syntax":              {"# syntax=registry.example.com/frontend:1\nFROM scratch\n", verdict.ExitUsage, ""},
		"unknown-secret":      {"FROM scratch\nCOPY sh /bin/sh\nRUN --mount=type=secret,id=absent,required=true echo in\n", verdict.ExitUsage, "build.no-secret"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := files{"Dockerfile": test.dockerfile}.write(t)
			err := fails(t, e, build.Options{Context: dir})
			if got := verdict.ExitCodeOf(err); got != test.exit || code(err) != test.code {
				t.Errorf("exit code %d, code %q; want %d, %q", got, code(err), test.exit, test.code)
			}
			if name == "unreachable" || name == "unknown-host" { // the resolver's words differ from machine to machine
				return
			}
			goldentest.Compare(t, filepath.Join("testdata", "failure-"+name+".golden"), strings.ReplaceAll(err.Error(), dir+"/", "")+"\n")
		})
	}
}

// serve runs a registry behind handler and pushes a base image to it.
func serve(t *testing.T, wrap func(http.Handler) http.Handler, user, password string) (host, digest string) {
	t.Helper()
	server := httptest.NewServer(wrap(registry.New(registry.Logger(log.New(io.Discard, "", 0)))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	img, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host+"/base:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: user, Password: password})); err != nil {
		t.Fatal(err)
	}
	sum, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return host, sum.String()
}

// guarded asks for the one user it knows.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "builder" || password != "pass-word" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func TestBaseFromRegistry(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	host, sum := serve(t, guarded, "builder", "pass-word")
	credentials := func(asked string) (string, string, error) {
		if asked != host {
			return "", "", nil
		}
		return "builder", "pass-word", nil
	}
	dir := files{"Dockerfile": "ARG TAG=1\nFROM scratch AS empty\nFROM " + host + "/base:${TAG}\nCOPY sh /bin/sh\n"}.write(t)

	candidate := run(t, e, build.Options{Context: dir, Credentials: credentials})
	want := build.Base{Ref: host + "/base:1", Digest: sum, Line: 3}
	if len(candidate.Bases) != 1 || candidate.Bases[0] != want {
		t.Errorf("bases %+v, want %+v", candidate.Bases, want)
	}
	image(t, candidate, "")

	pinned := files{"Dockerfile": "FROM " + host + "/base@" + sum + "\nCOPY sh /bin/sh\n"}.write(t)
	candidate = run(t, e, build.Options{Context: pinned, Credentials: credentials})
	if len(candidate.Bases) != 1 || !candidate.Bases[0].Pinned || candidate.Bases[0].Digest != sum || candidate.Bases[0].Line != 1 {
		t.Errorf("bases %+v", candidate.Bases)
	}

	err := fails(t, enginetest.Start(t), build.Options{Context: dir})
	if verdict.ExitCodeOf(err) != verdict.ExitUsage || code(err) != "build.base-denied" || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("without credentials: %v", err)
	}
	err = fails(t, e, build.Options{Context: dir, Credentials: credentials, Args: map[string]string{"TAG": "absent"}})
	if verdict.ExitCodeOf(err) != verdict.ExitUsage || code(err) != "build.base-not-found" {
		t.Errorf("with a tag that is not there: %d, %v", verdict.ExitCodeOf(err), err)
	}
}

// TestNoCredentialIsNotTheImagesFault: who gives the credentials says why there is none, and whose fault that is.
func TestNoCredentialIsNotTheImagesFault(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	host, _ := serve(t, guarded, "builder", "pass-word")
	dir := files{"Dockerfile": "FROM " + host + "/base:1\nCOPY sh /bin/sh\n"}.write(t)
	ill := &verdict.Error{Verdict: verdict.Inconclusive, Code: "registry.answer", Doing: "signing in to", Object: host, Cause: errors.New("something else answered"), Remedy: "Look at it"}
	for want, failed := range map[string]error{
		"3 registry.answer":   ill,
		"2 registry.denied":   &verdict.Error{Code: "registry.denied", Doing: "signing in to", Object: host, Cause: fmt.Errorf("%w: 400", verdict.ErrUsage)},
		"2 build.base-denied": fmt.Errorf("%w: the vault is sealed", verdict.ErrUsage),
		"3 build.base-denied": errors.New("the vault does not answer"),
	} {
		err := fails(t, e, build.Options{Context: dir, Credentials: func(string) (string, string, error) { return "", "", failed }})
		if got := fmt.Sprintf("%d %s", verdict.ExitCodeOf(err), code(err)); got != want || !strings.Contains(err.Error(), host) {
			t.Errorf("%s, want %s: %v", got, want, err)
		}
	}
}

func TestBrokenRegistryIsNotTheImagesFault(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		dir := files{"Dockerfile": "FROM " + strings.TrimPrefix(server.URL, "http://") + "/base:1\nCOPY sh /bin/sh\n"}.write(t)
		if err := fails(t, e, build.Options{Context: dir}); verdict.ExitCodeOf(err) != verdict.ExitInconclusive || code(err) != "build.unreachable" {
			t.Errorf("a registry that answers %d: %v", status, err)
		}
	}
}

const slow = "FROM scratch\nCOPY sh /bin/sh\nRUN echo begun && sleep 60\n"

// begun waits until the slow step runs.
func begun(t *testing.T, seen *events) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(seen.text(), "log [2/2] RUN echo begun && sleep 60 begun"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the step does not begin:\n%s", seen.text())
		}
	}
}

func TestEngineKilledMidBuildIsInconclusive(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	seen := &events{}
	result := make(chan error, 1)
	o := build.Options{Context: files{"Dockerfile": slow}.write(t), Layout: filepath.Join(t.TempDir(), "layout")}
	go func() {
		_, err := build.Run(progress.With(t.Context(), seen), e, o)
		result <- err
	}()
	begun(t, seen)
	if err := syscall.Kill(e.Process(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if verdict.ExitCodeOf(err) != verdict.ExitInconclusive || code(err) != "engine.died" {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the build does not end with its engine")
	}
}

func TestCancelEndsBuild(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	seen := &events{}
	ctx, cancel := context.WithCancel(progress.With(t.Context(), seen))
	result := make(chan error, 1)
	o := build.Options{Context: files{"Dockerfile": slow}.write(t), Layout: filepath.Join(t.TempDir(), "layout")}
	go func() {
		_, err := build.Run(ctx, e, o)
		result <- err
	}()
	begun(t, seen)
	cancel()
	select {
	case err := <-result:
		if !errors.Is(err, context.Canceled) || verdict.ExitCodeOf(err) != verdict.ExitInterrupted {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the build does not end within 10 s")
	}
	// The engine is as good as before.
	run(t, e, build.Options{Context: files{"Dockerfile": "FROM scratch\nCOPY sh /bin/sh\nRUN echo again\n"}.write(t)})
}
