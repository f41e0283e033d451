package check_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// packOf is a pack with one rule of the given severity, first day and text.
func packOf(t testing.TB, severity, effective, rule string) *check.Pack {
	t.Helper()
	pack, err := check.LoadFS(fstest.MapFS{
		"pack.yaml": {Data: []byte("name: mine\nversion: 1.0.0\ntitle: House rules\n")},
		"rule.rego": {Data: fmt.Appendf(nil, `package hallmark.mine

# METADATA
# title: The rule
# custom:
#   severity: %s
#   remedy: Mend it.
#   source: The handbook
#   effective: %s
%s
`, severity, effective, rule)},
	}, "mine")
	if err != nil {
		t.Fatal(err)
	}
	return pack
}

func TestEffectiveDate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		effective string
		blocks    bool
	}{{"2026-03-11", true}, {"2026-03-12", false}, {"2020-01-01", true}} {
		pack := packOf(t, "critical", c.effective, `deny.it contains "wrong"`)
		result, err := check.Run(t.Context(), check.Input{Facts: plain(t), Now: now}, []*check.Pack{pack}, nil)
		if err != nil || len(result.Findings) != 1 {
			t.Fatal(result, err)
		}
		f := result.Findings[0]
		if f.Blocking != c.blocks || strings.Contains(f.Message, "a warning until "+c.effective) == c.blocks {
			t.Errorf("from %s: %+v", c.effective, f)
		}
	}
}

// TestFindingShapes shows what a rule may say, and what its author reads where it says something else.
func TestFindingShapes(t *testing.T) {
	t.Parallel()
	facts := newSpark().facts(t, nil)
	for _, c := range []struct{ rule, message, file, layer, problem string }{
		{`deny.it contains "a text"`, "a text", "", "", ""},
		{`deny.it contains {"message": "m", "file": "/usr/bin/su"}`, "m", "/usr/bin/su", facts.Layers[0].DiffID, ""},
		{`deny.it contains {"message": "m", "layer": 1}`, "m", "", facts.Layers[1].DiffID, ""},
		{`deny.it contains {"message": "m", "layer": 7}`, "m", "", "", ""},
		{`deny.it contains {"message": "m", "layer": 1.5}`, "", "", "", "whose layer is not a whole number"},
		{`deny.it contains {"message": 7}`, "", "", "", "whose message is not a text"},
		{`deny.it contains {"message": " "}`, "", "", "", "without a message"},
		{`deny.it contains {"msg": "m"}`, "", "", "", `with the unknown key "msg"`},
		{`deny.it contains 7`, "", "", "", "neither a text nor an object"},
		{`deny.it contains to_number(input.facts.os.id) > 1`, "", "", "", "mine/rule.rego:10:18: to_number"},
	} {
		pack := packOf(t, "high", "2025-01-01", c.rule)
		result, err := check.Run(t.Context(), check.Input{Facts: facts, Now: now}, []*check.Pack{pack}, nil)
		if c.problem != "" {
			if !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %v, want %q", c.rule, err, c.problem)
			}
			continue
		}
		if err != nil || len(result.Findings) != 1 {
			t.Errorf("%s: %v %v", c.rule, result.Findings, err)
			continue
		}
		f := result.Findings[0]
		if f.Message != c.message || f.Place.File != c.file || f.Place.Layer != c.layer || f.Remedy != "Mend it." || f.ID != "mine.it" {
			t.Errorf("%s: %+v", c.rule, f)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	pack := packOf(t, "high", "2025-01-01", `deny.it contains sprintf("%d %s", [n, concat("", [c | some i in numbers.range(1, 600); c := "é"])]) if some n in numbers.range(1, 120)`)
	result, err := check.Run(t.Context(), check.Input{Facts: plain(t), Now: now, Timeout: time.Minute}, []*check.Pack{pack}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Findings) != 51 {
		t.Fatalf("%d findings", len(result.Findings))
	}
	more := false
	for _, f := range result.Findings {
		more = more || f.Message == "and 70 more like these"
		if len(f.Message) > 1010 || strings.ContainsRune(f.Message, '\ufffd') {
			t.Errorf("%d bytes: %q", len(f.Message), f.Message)
		}
	}
	if !more {
		t.Error("what was left out is not counted")
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	pack := packOf(t, "high", "2025-01-01", `deny.it contains "never" if {
	some a in numbers.range(1, 10000)
	some b in numbers.range(1, 10000)
	a * b == 0
}`)
	start := time.Now()
	_, err := check.Run(t.Context(), check.Input{Facts: plain(t), Now: now, Timeout: 50 * time.Millisecond}, []*check.Pack{pack}, nil)
	if verdict.OfError(err) != verdict.Inconclusive || !strings.Contains(err.Error(), "did not end within 50ms") {
		t.Error(err)
	}
	if spent := time.Since(start); spent > 5*time.Second {
		t.Errorf("it took %s to stop", spent)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	cancel()
	if _, err := check.Run(ctx, check.Input{Facts: plain(t), Now: now}, []*check.Pack{pack}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	facts := plain(t)
	if _, err := check.Run(t.Context(), check.Input{Now: now}, load(t, "base"), nil); err == nil {
		t.Error("an image without facts was judged")
	}
	if _, err := check.Run(t.Context(), check.Input{Facts: facts}, load(t, "base"), nil); err == nil {
		t.Error("an image was judged at no time")
	}
	if _, err := check.Run(t.Context(), check.Input{Facts: facts, Now: now}, load(t, "promotion"), nil); !errors.Is(err, verdict.ErrUsage) {
		t.Error("the promotion pack judged an image:", err)
	}
	if _, err := check.Promotion(t.Context(), check.PromotionInput{Now: now}, load(t, "base")[0]); !errors.Is(err, verdict.ErrUsage) {
		t.Error("the base pack judged a promotion:", err)
	}
}
