package build_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const twoLayers = "FROM scratch\nCOPY a /a\nCOPY b /b\n"

// What a candidate needs stays, whatever is built into its layout afterwards, until it is released.
func TestACandidateKeepsItsLayout(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	o := build.Options{Context: files{"Dockerfile": twoLayers, "a": "one", "b": "two"}.write(t), Layout: filepath.Join(t.TempDir(), "layout")}
	first := run(t, e, o)
	o.Context = files{"Dockerfile": twoLayers, "a": "three", "b": "four"}.write(t)
	second := run(t, e, o)
	if first.Digest == second.Digest || first.Layout == second.Layout {
		t.Fatalf("two candidates are one: %s in %s, %s in %s", first.Digest, first.Layout, second.Digest, second.Layout)
	}
	for _, c := range []*build.Candidate{first, second} {
		if err := validate.Image(image(t, c, "")); err != nil {
			t.Errorf("%s is not whole any more: %v", c.Digest, err)
		}
	}
	shared := *second
	shared.Layout = o.Layout
	if err := validate.Image(image(t, &shared, "")); err != nil {
		t.Errorf("the layout does not hold the latest candidate: %v", err)
	}
	for range 2 {
		if err := first.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(first.Layout); !os.IsNotExist(err) {
		t.Errorf("a released candidate is still there: %v", err)
	}
	if err := validate.Image(image(t, second, "")); err != nil {
		t.Errorf("releasing one candidate took from the other: %v", err)
	}
}

func TestBuildsIntoOneLayoutAtOnce(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	layout := filepath.Join(t.TempDir(), "layout")
	digests := map[string]bool{}
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, text := range []string{"one", "two", "three"} {
		context := files{"Dockerfile": twoLayers, "a": text, "b": "b of " + text}.write(t)
		group.Go(func() {
			c, err := build.Run(t.Context(), e, build.Options{Context: context, Layout: layout})
			if err != nil {
				t.Error(err)
				return
			}
			if err := validate.Image(image(t, c, "")); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			mu.Lock()
			defer mu.Unlock()
			digests[c.Digest] = true
		})
	}
	group.Wait()
	if len(digests) != 3 {
		t.Errorf("three builds of three contents made %v", digests)
	}
}

// What a killed process has left goes with the next build; what a living one holds does not.
func TestLeftCandidatesAreSwept(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	o := build.Options{Context: files{"Dockerfile": twoLayers, "a": "one", "b": "two"}.write(t), Layout: filepath.Join(t.TempDir(), "layout")}
	first := run(t, e, o)
	left := filepath.Join(filepath.Dir(first.Layout), "left")
	if err := os.MkdirAll(filepath.Join(left, "blobs", "sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	same, unchanged := build.Look(t.Context(), o, string(e.Kind())).Unchanged(t.Context(), func(context.Context, string) (string, error) { return "", errors.New("no tags here") })
	if !unchanged {
		t.Fatal("it has changed")
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what nobody holds is still there: %v", err)
	}
	for _, c := range []*build.Candidate{first, same} {
		if err := validate.Image(image(t, c, "")); err != nil {
			t.Error(err)
		}
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestALayoutThatStaysTaken(t *testing.T) {
	t.Parallel()
	e := enginetest.Shared(t)
	o := build.Options{Context: files{"Dockerfile": twoLayers, "a": "one", "b": "two"}.write(t), Layout: t.TempDir(), Wait: 200 * time.Millisecond}
	held, err := lock.Take(t.Context(), lock.Folder{Path: o.Layout, File: ".hallmark-lock"})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	_, err = build.Run(t.Context(), e, o)
	var found *verdict.Error
	if !errors.As(err, &found) || found.Code != "build.layout-busy" || found.Verdict != verdict.Inconclusive {
		t.Errorf("a layout that stays taken gives %v", err)
	}
	o.Wait = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := build.Run(ctx, e, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Ctrl-C while waiting gives %v", err)
	}
}
