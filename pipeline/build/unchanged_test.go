package build_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
)

// TestUnchanged builds once and then changes one thing at a time: what could make another image must be built again.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	project := func(t *testing.T, dockerfile string) build.Options {
		context := files{
			"Dockerfile": dockerfile, "a": "one", "b": "two", ".dockerignore": "ignored\n", "ignored": "nobody sees this",
		}.write(t)
		extra := files{"c": "three"}.write(t)
		return build.Options{Context: context, Layout: filepath.Join(t.TempDir(), "layout"), Contexts: map[string]string{"extra": extra}}
	}
	const plain = "FROM scratch\nCOPY a b /\nCOPY --from=extra c /\n"
	nobody := func(context.Context, string) (string, error) { return "", errors.New("nothing is named by tag here") }
	write := func(path ...string) func(*testing.T, *build.Options) {
		return func(t *testing.T, o *build.Options) {
			if err := os.WriteFile(filepath.Join(append([]string{o.Context}, path...)...), []byte("two"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		dockerfile string
		change     func(*testing.T, *build.Options)
		same       bool
	}{
		"nothing":              {plain, func(*testing.T, *build.Options) {}, true},
		"an ignored file":      {plain, write("ignored"), true},
		"a file":               {plain, write("a"), false},
		"a new file":           {plain, write("new"), false},
		"the same bytes again": {plain, write("b"), false}, // by its time: not read, so not known to be the same
		"the Dockerfile": {plain, func(t *testing.T, o *build.Options) {
			appendTo(t, filepath.Join(o.Context, "Dockerfile"), "LABEL a=b\n")
		}, false},
		"the ignore file":       {plain, func(t *testing.T, o *build.Options) { appendTo(t, filepath.Join(o.Context, ".dockerignore"), "x\n") }, false},
		"another context":       {plain, func(t *testing.T, o *build.Options) { appendTo(t, filepath.Join(o.Contexts["extra"], "c"), "more") }, false},
		"an argument":           {plain, func(_ *testing.T, o *build.Options) { o.Args = map[string]string{"A": "b"} }, false},
		"no cache is asked for": {plain, func(_ *testing.T, o *build.Options) { o.NoCache = true }, false},
		"compression":           {plain, func(_ *testing.T, o *build.Options) { o.Compression = build.Zstd }, false},
		"a lost layer":          {plain, loseALayer, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := project(t, c.dockerfile)
			if _, same := build.Look(t.Context(), o, string(e.Kind())).Unchanged(t.Context(), nobody); same {
				t.Fatal("what was never built is said to be unchanged")
			}
			made, err := build.Run(t.Context(), e, o)
			if err != nil {
				t.Fatal(err)
			}
			c.change(t, &o)
			got, same := build.Look(t.Context(), o, string(e.Kind())).Unchanged(t.Context(), nobody)
			if same != c.same {
				t.Fatalf("unchanged: %t, want %t", same, c.same)
			}
			if same && (got.Digest != made.Digest || len(got.Steps) != len(made.Steps) || got.CachedSteps != got.TotalSteps) {
				t.Errorf("the candidate is %+v, was %+v", got, made)
			}
			if _, same := build.Look(t.Context(), o, "another engine").Unchanged(t.Context(), nobody); same {
				t.Error("another engine is said to have built it")
			}
		})
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(old, text...), 0o755); err != nil {
		t.Fatal(err)
	}
}

func loseALayer(t *testing.T, o *build.Options) {
	blobs, err := filepath.Glob(filepath.Join(o.Layout, "blobs", "sha256", "*"))
	if err != nil || len(blobs) == 0 {
		t.Fatalf("blobs: %v %v", blobs, err)
	}
	for _, blob := range blobs {
		if text, err := os.ReadFile(blob); err == nil && len(text) > 2 && text[0] == 0x1f && text[1] == 0x8b { // gzip: a layer
			if err := os.Remove(blob); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("there is no layer to lose")
}
