package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/emulator"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestEmulateDatabricksServes(t *testing.T) {
	t.Parallel()
	home := Home(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told, ended := make(chan Emulated, 1), make(chan error, 1)
	go func() {
		ended <- EmulateDatabricks(ctx, &config.Config{}, Options{Home: home}, EmulateOptions{Listen: "127.0.0.1:0", NoLaunch: true}, func(e Emulated) { told <- e })
	}()
	var e Emulated
	select {
	case e = <-told:
	case err := <-ended:
		t.Fatal(err)
	}
	token, err := os.ReadFile(e.TokenFile)
	if info, failed := os.Stat(e.TokenFile); err != nil || failed != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the token's file: %v, %v", err, failed)
	}
	for auth, want := range map[string]int{"Bearer " + strings.TrimSpace(string(token)): 200, "Bearer x": 403, "": 401} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Host+"/api/2.1/clusters/list", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", auth)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%q: %d, want %d", auth, response.StatusCode, want)
		}
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	if _, err := os.Stat(e.TokenFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the token's file is still there: %v", err)
	}
}

// Who else had the file open does not read the next token.
func TestTokenFilesAreNew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "token")
	if _, err := keepToken("", path, "first"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	before, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if _, err := keepToken("", path, "second"); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 100)
	n, _ := before.Read(text)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || string(text[:n]) != "first\n" {
		t.Errorf("%v, %v, and who was there before reads %q", info.Mode(), err, text[:n])
	}
}

func TestHowLaunchesEndOnThePlatform(t *testing.T) {
	t.Parallel()
	l := emulator.Launch{Image: "r.example.com/x:1", Scripts: []emulator.Script{{Name: "dbfs:/a.sh"}, {Name: "file:/b.sh", Inside: "/b.sh"}}}
	launched := func(code, reason string) error {
		return launchFailed(&launch.Error{Verdict: verdict.Fail, Code: code, Reason: reason}, nil, l)
	}
	asked := func(code string) error {
		return pullFailed(t.Context(), l, fmt.Errorf("asking: %w", &verdict.Error{Verdict: verdict.Inconclusive, Code: code, Doing: "reading"}))
	}
	for _, test := range []struct {
		name string
		err  error
		code string
		kind string
		want string
	}{
		{"denied", asked(registry.CodeDenied), "DOCKER_IMAGE_PULL_FAILURE", clientError, "invalid credential to pull image from r.example.com/x:1"},
		{"not found", asked(registry.CodeNotFound), "DOCKER_IMAGE_PULL_FAILURE", clientError, "doesn't exist"},
		{"unreachable", asked(registry.CodeUnreachable), "DOCKER_IMAGE_PULL_FAILURE", cloudFailure, "cannot be used"},
		{"no bash", launched(launch.CodeRequirement, "there is no bash on the PATH"), "CONTAINER_LAUNCH_FAILURE", serviceFault, "no bash"},
		{"no java", launched(launch.CodeRequirement, "there is no java on the PATH"), "SPARK_STARTUP_FAILURE", serviceFault, "no java"},
		{"no driver", launched(launch.CodeDriver, "the driver does not start"), "SPARK_STARTUP_FAILURE", serviceFault, "does not start"},
		{"another machine's", launched(launch.CodePlatform, "the image is for arm64"), "DOCKER_CONTAINER_CREATION_EXCEPTION", clientError, "arm64"},
		{"broken", launched(launch.CodeUnpack, "a layer"), "DOCKER_IMAGE_PULL_FAILURE", clientError, "a layer"},
		{"late", launched(launch.CodeTimeout, "not up in time"), "DRIVER_LAUNCH_TIMEOUT", serviceFault, "in time"},
		{"the engine", launched(launch.CodeEngine, "it died"), "INTERNAL_ERROR", serviceFault, "it died"},
		{"a script", launched(launch.CodeInitScript, "the init script a.sh is not in the image"), "INIT_SCRIPT_FAILURE", clientError, "a.sh"},
	} {
		got := (*emulator.Ended)(nil)
		if !errors.As(test.err, &got) || got.Code != test.code || got.Type != test.kind || !strings.Contains(got.Parameters["databricks_error_message"], test.want) {
			t.Errorf("%s: got %+v", test.name, got)
		}
		if test.code == "INIT_SCRIPT_FAILURE" && (len(got.Scripts) != 1 || got.Scripts[0].ExitCode == 0 || got.Scripts[0].Name != "dbfs:/a.sh") {
			t.Errorf("%s: scripts %+v", test.name, got.Scripts)
		}
	}
	if err := launchFailed(errors.New("something else"), nil, l); err == nil || errors.As(err, new(*emulator.Ended)) {
		t.Errorf("what is not known: %v", err)
	}
}
