package check_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestParams(t *testing.T) {
	t.Parallel()
	packs := load(t, "base", "spark")
	facts := plain(t)
	for _, c := range []struct {
		pack, name string
		value      any
		want       string
	}{
		{"base", "size_mib", 100, ""},
		{"base", "size_mib", 100.0, ""},
		{"base", "size_mib", uint64(100), ""},
		{"base", "architectures", []string{"arm64"}, ""},
		{"spark", "java", []any{8, 17}, ""},
		{"spark", "java", []int{8}, ""},
		{"base", "fail_on", "critical", ""},
		{"base", "sise_mib", 100, `no parameter "sise_mib". Did you mean "size_mib"?`},
		{"base", "size_mib", "100", "not of the type integer"},
		{"base", "size_mib", 1.5, "not of the type integer"},
		{"base", "allow_root", "yes", "not of the type boolean"},
		{"base", "architectures", "arm64", "write a list"},
		{"spark", "java", []any{"17"}, "not of the type integers"},
		{"base", "fail_on", "unknown", "must be low, medium, high or critical"},
		{"bass", "size_mib", 100, `Did you mean "base"?`},
	} {
		in := check.Input{Facts: facts, Now: now, Params: map[string]map[string]any{c.pack: {c.name: c.value}}}
		_, err := check.Run(t.Context(), in, packs, nil)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s.%s = %v: %v", c.pack, c.name, c.value, err)
		case c.want != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s.%s = %v: %v, want %q", c.pack, c.name, c.value, err, c.want)
		}
	}
}

// TestInputs holds that the digest of what a verdict depends on changes with each of its parts, and with nothing else.
func TestInputs(t *testing.T) {
	t.Parallel()
	packs := load(t, "base", "spark")
	digest := func(in check.Input, packs []*check.Pack, waivers ...verdict.Waiver) string {
		t.Helper()
		if in.Now.IsZero() {
			in.Now = now
		}
		sum, err := check.Inputs(in, packs, waivers)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	usual := digest(check.Input{}, packs)
	w := waiver("base.user", "2026-03-11")
	waived := digest(check.Input{}, packs, w)
	for name, other := range map[string]string{
		"fewer packs":      digest(check.Input{}, packs[:1]),
		"a parameter":      digest(check.Input{Params: map[string]map[string]any{"base": {"size_mib": 1}}}, packs),
		"a lower bar":      digest(check.Input{FailOn: verdict.High}, packs),
		"a waiver":         waived,
		"its end":          digest(check.Input{Now: now.AddDate(0, 0, 1)}, packs, w),
		"what built it":    digest(check.Input{Build: &check.BuildFacts{}}, packs),
		"before its rules": digest(check.Input{Now: now.AddDate(-5, 0, 0)}, packs),
	} {
		if other == usual || name == "its end" && other == waived {
			t.Errorf("%s does not change the digest", name)
		}
	}
	if older, err := check.InputsBy("older", check.Input{Now: now}, packs); err != nil || older == usual {
		t.Errorf("older code gives the same digest (%v)", err)
	}
	result, err := check.Run(t.Context(), check.Input{Facts: plain(t), Now: now}, packs, nil)
	if err != nil {
		t.Fatal(err)
	}
	same := digest(check.Input{Now: now.AddDate(0, 0, 1), Params: map[string]map[string]any{"base": {"size_mib": 6144}}}, packs)
	if result.Inputs != usual || same != usual {
		t.Errorf("run %s, foretold %s, with the defaults spelt out %s", result.Inputs, usual, same)
	}
}

// FuzzManifest holds that no pack.yaml does worse than be refused, with a place.
func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		"name: mine\nversion: 1.0.0\ntitle: x\nparams: {colour: {type: string, default: blue, doc: x}}\n",
		"name: mine\nversion: 1.0.0\ntitle: x\nparams:\n  colour: {type: integers, default: [1, .nan, 0x10], doc: x}\n",
		"a: &a [*a]\n", "? {a: b}\n: c\n", "name: !!binary aGk=\n", "--- 1\n--- 2\n", "name: [\n", "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, manifest string) {
		files := fstest.MapFS{
			"pack.yaml":      {Data: []byte(manifest)},
			"data/list.yaml": {Data: []byte(manifest)},
		}
		if _, err := check.LoadFS(files, "mine"); !errors.Is(err, verdict.ErrUsage) || len(err.Error()) > 2000 {
			t.Fatalf("%v", err) // there are no rules: no manifest makes this a pack
		}
	})
}
