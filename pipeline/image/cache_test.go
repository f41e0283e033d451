package image_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// sealed makes it an error to open any blob of the image.
func sealed(img v1.Image) v1.Image {
	return opened{img, func() (io.ReadCloser, error) { return nil, errors.New("the blob was opened") }}
}

func debian(t *testing.T) v1.Image {
	t.Helper()
	return imagetest.Image(t, v1.Config{},
		imagetest.Layer(imagetest.Text("etc/os-release", "ID=debian\n"), imagetest.Text("a.txt", "xx"),
			imagetest.Text("var/lib/dpkg/status", "Package: bash\nVersion: 5.2-1\nStatus: install ok installed\n")).Gzip(),
		imagetest.Layer(imagetest.Script("opt/entrypoint.sh", "#!/bin/sh\n"), imagetest.File{Path: "usr/bin/ping", Mode: 0o4755},
			imagetest.File{Path: "usr/bin/cap", PAX: map[string]string{"SCHILY.xattr.security.capability": "x"}}).Gzip(),
	)
}

func TestCachedLayersAreNotOpened(t *testing.T) {
	t.Parallel()
	img, analyzer := debian(t), &lengths{}
	reader := &image.Reader{Cache: filepath.Join(t.TempDir(), "new"), Analyzers: []image.Analyzer{analyzer}}
	cold, err := reader.Read(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	warm, err := reader.Read(t.Context(), sealed(img))
	if err != nil {
		t.Fatal(err)
	}
	if cold.Layers[0].Cached || !warm.Layers[0].Cached || !warm.Layers[1].Cached || analyzer.calls.Load() != 1 {
		t.Errorf("cached: cold %v, warm %v; %d analyses", cold.Layers[0].Cached, warm.Layers[0].Cached, analyzer.calls.Load())
	}
	if diff := cmp.Diff(facts(t, cold, "/**"), facts(t, warm, "/**")); diff != "" {
		t.Errorf("facts from the cache differ (-cold +warm):\n%s", diff)
	}
	if diff := cmp.Diff(results(cold, "lengths 1", true), results(warm, "lengths 1", true)); diff != "" {
		t.Errorf("results from the cache differ (-cold +warm):\n%s", diff)
	}
}

func TestOnlyNewLayersAreRead(t *testing.T) {
	t.Parallel()
	bottom := imagetest.Layer(imagetest.Text("a", "x"))
	reader := &image.Reader{Cache: t.TempDir()}
	if _, err := reader.Read(t.Context(), imagetest.Image(t, v1.Config{}, bottom)); err != nil {
		t.Fatal(err)
	}
	contents, err := reader.Read(t.Context(), imagetest.Image(t, v1.Config{}, bottom, imagetest.Layer(imagetest.Text("b", "x"))))
	if err != nil || !contents.Layers[0].Cached || contents.Layers[1].Cached {
		t.Errorf("error %v, cached %v", err, contents)
	}
}

func TestWhatMissesTheCache(t *testing.T) {
	t.Parallel()
	base := image.Reader{Analyzers: []image.Analyzer{&lengths{}, &lengths{key: "other 1"}}}
	for name, test := range map[string]struct {
		change func(*image.Reader)
		hit    bool
	}{
		"nothing":              {func(*image.Reader) {}, true},
		"the analyzers' order": {func(r *image.Reader) { r.Analyzers = []image.Analyzer{r.Analyzers[1], r.Analyzers[0]} }, true},
		"one analyzer less":    {func(r *image.Reader) { r.Analyzers = r.Analyzers[:1] }, false},
		"an analyzer's version": {func(r *image.Reader) {
			r.Analyzers = []image.Analyzer{r.Analyzers[0], &lengths{key: "other 2"}}
		}, false},
		"limits":           {func(r *image.Reader) { r.Limits.Entries = 100 }, false},
		"explicit default": {func(r *image.Reader) { r.Limits.Entries = 2_000_000 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader := base
			reader.Cache = t.TempDir()
			img := debian(t)
			if _, err := reader.Read(t.Context(), img); err != nil {
				t.Fatal(err)
			}
			test.change(&reader)
			contents, err := reader.Read(t.Context(), img)
			if err != nil || contents.Layers[0].Cached != test.hit {
				t.Errorf("error %v, hit %v, want %v", err, contents.Layers[0].Cached, test.hit)
			}
		})
	}
}

func TestDamagedCacheIsAMiss(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"empty":        func([]byte) []byte { return nil },
		"cut":          func(b []byte) []byte { return b[:len(b)/2] },
		"cut checksum": func(b []byte) []byte { return b[:len(b)-1] },
		"changed":      func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"foreign":      func([]byte) []byte { return []byte("something else") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, img := t.TempDir(), debian(t)
			reader := &image.Reader{Cache: dir}
			want, err := reader.Read(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(dir, "*.layer"))
			if err != nil || len(files) != 2 {
				t.Fatalf("the cache holds %v (%v)", files, err)
			}
			for _, file := range files {
				body, err := os.ReadFile(file)
				must(err)
				must(os.WriteFile(file, damage(body), 0o600))
			}
			again, err := reader.Read(t.Context(), img)
			if err != nil || again.Layers[0].Cached || again.Layers[1].Cached {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(facts(t, want), facts(t, again)); diff != "" {
				t.Error(diff)
			}
			if _, err := reader.Read(t.Context(), sealed(img)); err != nil {
				t.Errorf("the cache was not repaired: %v", err)
			}
		})
	}
}

func TestRecordsOfAnotherLayerAreAMiss(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reader := &image.Reader{Cache: dir}
	if _, err := reader.Read(t.Context(), debian(t)); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.layer"))
	first, err := os.ReadFile(files[0])
	must(err)
	must(os.WriteFile(files[1], first, 0o600))
	if contents, err := reader.Read(t.Context(), debian(t)); err != nil || contents.Layers[0].Cached == contents.Layers[1].Cached {
		t.Errorf("a moved record was taken (%v)", err)
	}
}

func TestReadersShareACache(t *testing.T) {
	t.Parallel()
	dir, img := t.TempDir(), debian(t)
	want := facts(t, read(t, img), "/**")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			reader := &image.Reader{Cache: dir, Parallel: 1 + i%3}
			for range 10 {
				contents, err := reader.Read(context.Background(), img)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := contents.Facts(image.FactsOptions{Files: []string{"/**"}})
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
			}
		})
	}
	group.Wait()
	left, err := filepath.Glob(filepath.Join(dir, ".new-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUnwritableCacheIsAWarning(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must(os.WriteFile(file, nil, 0o600))
	sink := &events{}
	reader := &image.Reader{Cache: filepath.Join(file, "cache")}
	if _, err := reader.Read(progress.With(t.Context(), sink), debian(t)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(sink.String(), "warning layer 1/2") {
		t.Errorf("nobody was warned:\n%s", sink)
	}
}

// events writes down what happened.
type events struct {
	mu   sync.Mutex
	text strings.Builder
}

func (e *events) Event(event progress.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Fprintf(&e.text, "%s %s cached=%v %s\n", event.Kind, event.Name, event.Cached, event.Err)
}

func (e *events) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.String()
}

func TestProgress(t *testing.T) {
	t.Parallel()
	img := debian(t)
	reader := &image.Reader{Cache: t.TempDir(), Parallel: 1}
	cold, warm := &events{}, &events{}
	contents, err := reader.Read(progress.With(t.Context(), cold), img)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Read(progress.With(t.Context(), warm), img); err != nil {
		t.Fatal(err)
	}
	name := "layer 2/2 " + contents.Layers[1].DiffID[:len("sha256:")+12]
	for _, want := range []string{"started " + name, "advanced " + name, "ended " + name + " cached=false"} {
		if !strings.Contains(cold.String(), want) {
			t.Errorf("cold: no %q in\n%s", want, cold)
		}
	}
	if got := warm.String(); !strings.Contains(got, "ended "+name+" cached=true") || strings.Contains(got, "advanced") {
		t.Errorf("warm:\n%s", got)
	}
}

func TestRepeatedLayersAreReadOnce(t *testing.T) {
	t.Parallel()
	layer, analyzer := imagetest.Layer(imagetest.Text("a.txt", "x")), &lengths{}
	img := imagetest.Image(t, v1.Config{}, layer, imagetest.Layer(imagetest.Whiteout("a.txt")), layer)
	contents, err := (&image.Reader{Analyzers: []image.Analyzer{analyzer}}).Read(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	if got := results(contents, "lengths 1", false); analyzer.calls.Load() != 1 || len(got) != 1 || got["2:a.txt"] != "1" {
		t.Errorf("%d analyses, results %v", analyzer.calls.Load(), got)
	}
}

// stuck is a blob that gives nothing until it is closed.
type stuck struct {
	closed chan struct{}
	once   sync.Once
}

func (s *stuck) Read([]byte) (int, error) { <-s.closed; return 0, os.ErrClosed }
func (s *stuck) Close() error             { s.once.Do(func() { close(s.closed) }); return nil }

func TestCancel(t *testing.T) {
	t.Parallel()
	tarball := imagetest.Tar(imagetest.Text("a", strings.Repeat("x", 10_000)))
	for _, given := range []int{0, 3, 2000} {
		t.Run(fmt.Sprintf("after %d bytes", given), func(t *testing.T) {
			t.Parallel()
			cancelled(t, opened{debian(t), func() (io.ReadCloser, error) {
				s := &stuck{closed: make(chan struct{})}
				return struct {
					io.Reader
					io.Closer
				}{io.MultiReader(bytes.NewReader(tarball[:given]), s), s}, nil
			}})
		})
	}
}

func cancelled(t *testing.T, img v1.Image) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := (&image.Reader{Cache: t.TempDir()}).Read(ctx, img)
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.DeadlineExceeded) || verdict.OfError(err) != verdict.Inconclusive {
			t.Errorf("error is %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the read did not end")
	}
}
