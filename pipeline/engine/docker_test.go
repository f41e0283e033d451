package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func imageNumber(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func TestDockerKinds(t *testing.T) {
	tests := map[string]struct {
		settings enginetest.DockerSettings
		exporter engine.Exporter
		code     string
		words    string
	}{
		"classic store":      {enginetest.DockerSettings{}, engine.Moby, "", ""},
		"containerd's store": {enginetest.DockerSettings{Containerd: true}, engine.OCI, "", ""},
		"no BuildKit":        {enginetest.DockerSettings{NoBuildKit: true}, "", "engine.no-buildkit", "Docker 20.10 or later"},
		"Windows containers": {enginetest.DockerSettings{OS: "windows"}, "", "engine.unreachable", "only linux"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			docker := enginetest.NewDocker(t, test.settings)
			t.Setenv("DOCKER_HOST", docker.Address)
			e, err := engine.Choose(t.Context(), engine.Choice{Address: "docker"})
			if test.code != "" {
				var found *verdict.Error
				if !errors.As(err, &found) || found.Code != test.code || found.Verdict != verdict.Inconclusive || !strings.Contains(err.Error(), test.words) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if e.Exporter() != test.exporter || e.Kind() != engine.Docker || !strings.Contains(e.Reason(), "Docker 99.0.0") {
				t.Errorf("%s, %s, %s", e.Exporter(), e.Kind(), e.Reason())
			}
		})
	}
}

// writeContext makes a Docker configuration that has one context and uses another.
func writeContext(t *testing.T, current, name, meta string) string {
	t.Helper()
	folder := t.TempDir()
	sum := sha256.Sum256([]byte(name))
	path := filepath.Join(folder, "contexts", "meta", hex.EncodeToString(sum[:]))
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		filepath.Join(folder, "config.json"): `{"currentContext": "` + current + `"}`,
		filepath.Join(path, "meta.json"):     meta,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestDockerContexts(t *testing.T) {
	docker := enginetest.NewDocker(t, enginetest.DockerSettings{})
	meta := `{"Name": "desktop", "Endpoints": {"docker": {"Host": "` + docker.Address + `", "SkipTLSVerify": false}}}`
	tests := map[string]struct {
		current, meta, host, context string
		fails                        string
	}{
		"of the configuration":          {current: "desktop", meta: meta},
		"of the environment":            {current: "other", context: "desktop", meta: meta},
		"the address goes before":       {current: "other", context: "absent", host: docker.Address},
		"one that is not there":         {current: "absent", fails: `Docker's context "absent"`},
		"the environment's, not there":  {context: "absent", current: "desktop", meta: meta, fails: "DOCKER_CONTEXT"},
		"one on another machine":        {current: "desktop", meta: `{"Endpoints": {"docker": {"Host": "ssh://far"}}}`, fails: "ssh://far (context desktop): only a local socket"},
		"one whose file is not JSON":    {current: "desktop", meta: `{`, fails: "meta.json"},
		"an address on another machine": {host: "tcp://far:2376", fails: "only a local socket"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_CONFIG", writeContext(t, test.current, "desktop", test.meta))
			t.Setenv("DOCKER_HOST", test.host)
			t.Setenv("DOCKER_CONTEXT", test.context)
			e, err := engine.Choose(t.Context(), engine.Choice{Address: "docker"})
			if test.fails != "" {
				if !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if !strings.Contains(e.Reason(), docker.Address) {
				t.Error(e.Reason())
			}
		})
	}
}

func TestDockerRemove(t *testing.T) {
	docker := enginetest.NewDocker(t, enginetest.DockerSettings{Images: map[string]enginetest.DockerImage{
		imageNumber(1): {Labels: map[string]string{"mark": "a"}},
		imageNumber(2): {Labels: map[string]string{"mark": "a"}, Tags: []string{"mine:1"}},
		imageNumber(3): {Labels: map[string]string{"mark": "a"}, Used: true},
		imageNumber(4): {Labels: map[string]string{"mark": "b"}},
	}})
	e := docker.Connect(t)
	ids, err := e.Labelled(t.Context(), "mark", "a")
	slices.Sort(ids)
	if want := []string{imageNumber(1), imageNumber(2), imageNumber(3)}; err != nil || !slices.Equal(ids, want) {
		t.Fatalf("%v, %v", ids, err)
	}
	for _, id := range append(ids, imageNumber(5)) {
		if err := e.Remove(t.Context(), id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if got := docker.Removed(); !slices.Equal(got, []string{imageNumber(1)}) {
		t.Errorf("removed %v: a tag, a container or nobody needs them", got)
	}
	for _, id := range []string{"mine:1", "sha256:12", "../../containers/json", imageNumber(1) + "?force=1"} {
		if err := e.Remove(t.Context(), id); err == nil {
			t.Errorf("%q was taken for an id", id)
		}
		if _, err := e.Save(t.Context(), id); err == nil {
			t.Errorf("%q was taken for an id", id)
		}
	}
}

func TestDockerSave(t *testing.T) {
	piece := strings.Repeat("x", 100_000)
	silent := make(chan struct{})
	defer close(silent)
	docker := enginetest.NewDocker(t, enginetest.DockerSettings{Images: map[string]enginetest.DockerImage{
		imageNumber(1): {Save: func(w io.Writer) error { _, err := io.WriteString(w, piece); return err }},
		imageNumber(2): {Save: func(w io.Writer) error { _, _ = io.WriteString(w, piece); return errors.New("broken") }},
		imageNumber(3): {Save: func(w io.Writer) error { _, _ = io.WriteString(w, piece); <-silent; return nil }},
	}})
	e := docker.Connect(t)
	tests := map[string]struct {
		id, code string
		cancel   bool
	}{
		"whole":      {id: imageNumber(1)},
		"broken off": {id: imageNumber(2), code: "engine.image"},
		"silence":    {id: imageNumber(3), cancel: true},
		"gone":       {id: imageNumber(9), code: "engine.image-gone"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cancel {
				time.AfterFunc(200*time.Millisecond, cancel)
			}
			got, err := readSave(ctx, e, test.id)
			var found *verdict.Error
			switch {
			case test.cancel:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
			case test.code != "":
				if !errors.As(err, &found) || found.Code != test.code || found.Verdict != verdict.Inconclusive {
					t.Errorf("%v", err)
				}
			case err != nil || got != piece:
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func readSave(ctx context.Context, e *engine.Engine, id string) (string, error) {
	stream, err := e.Save(ctx, id)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	text, err := io.ReadAll(stream)
	return string(text), err
}

// A daemon that answers no more ends what waits for it.
func TestDockerDies(t *testing.T) {
	docker := enginetest.NewDocker(t, enginetest.DockerSettings{})
	e := docker.Connect(t)
	alive, stop := e.While(t.Context())
	defer stop()
	docker.Die()
	select {
	case <-alive.Done():
	case <-time.After(time.Minute):
		t.Fatal("nobody noticed")
	}
	var found *verdict.Error
	if err := e.Blame(context.Cause(alive)); !errors.As(err, &found) || found.Code != "engine.died" || found.Verdict != verdict.Inconclusive {
		t.Errorf("%v", err)
	}
}
