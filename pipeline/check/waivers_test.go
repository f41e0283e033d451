package check_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// plain is an image that breaks base.user (medium), base.os_known (medium) and base.labels (low).
func plain(t testing.TB) *image.Facts {
	t.Helper()
	s := &spark{}
	s.config.Env = []string{"PATH=/bin"}
	return s.facts(t, nil)
}

func waiver(rule, until string) verdict.Waiver {
	return verdict.Waiver{Rule: rule, Reason: "because", Owner: "team", Until: until}
}

func TestWaivers(t *testing.T) {
	t.Parallel()
	packs := load(t, "base")
	facts := plain(t)
	const today = "2026-03-11"
	for _, c := range []struct {
		name    string
		waivers []verdict.Waiver
		want    string // id, whether it blocks, and the end of its message
	}{
		{"none", nil, "base.os_known blocks; base.user blocks; base.labels"},
		{"one rule", []verdict.Waiver{waiver("base.user", today)}, "base.os_known blocks; base.user waived; base.labels"},
		{"a whole pack", []verdict.Waiver{waiver("base.*", today)}, "base.os_known waived; base.user waived; base.labels waived"},
		{"ended yesterday", []verdict.Waiver{waiver("base.user", "2026-03-10")}, "base.os_known blocks; base.user blocks ended; base.labels"},
		{
			"ended for one, holding for all",
			[]verdict.Waiver{waiver("base.user", "2026-03-10"), waiver("base.*", today)},
			"base.os_known waived; base.user waived; base.labels waived",
		},
		{
			"holding for all, ended for one",
			[]verdict.Waiver{waiver("base.*", today), waiver("base.user", "2026-03-10")},
			"base.os_known waived; base.user waived; base.labels waived",
		},
		{"a rule that passes", []verdict.Waiver{waiver("base.size", today)}, "base.os_known blocks; base.user blocks; base.labels; waiver.unused"},
		{"another pack's", []verdict.Waiver{waiver("spark.*", today)}, "base.os_known blocks; base.user blocks; base.labels; waiver.unused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			result, err := check.Run(t.Context(), check.Input{Facts: facts, Now: now}, packs, c.waivers)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range result.Findings {
				words := []string{f.ID}
				if f.Blocking {
					words = append(words, "blocks")
				}
				switch {
				case f.ID == "waiver.unused" || f.Waiver == nil:
				case strings.Contains(f.Message, "the waiver of team ended on 2026-03-10"):
					words = append(words, "ended")
				default:
					words = append(words, "waived")
				}
				got = append(got, strings.Join(words, " "))
			}
			if want := sorted(c.want); want != sorted(strings.Join(got, "; ")) {
				t.Errorf("got %s, want %s", strings.Join(got, "; "), c.want)
			}
			if want := verdict.Of(result.Findings); result.Verdict != want || strings.Contains(c.want, "blocks") != (want == verdict.Fail) {
				t.Errorf("verdict %s", result.Verdict)
			}
		})
	}
}

func TestCheckWaivers(t *testing.T) {
	t.Parallel()
	good := waiver("spark.uid", "2027-01-31")
	for _, c := range []struct {
		change func(*verdict.Waiver)
		want   string
	}{
		{func(*verdict.Waiver) {}, ""},
		{func(w *verdict.Waiver) { w.Rule = "spark.*" }, ""},
		{func(w *verdict.Waiver) { w.Until = "2001-01-01" }, ""},
		{func(w *verdict.Waiver) { w.Rule = "" }, "rule is missing"},
		{func(w *verdict.Waiver) { w.Reason = " " }, "reason is missing"},
		{func(w *verdict.Waiver) { w.Owner = "" }, "owner is missing"},
		{func(w *verdict.Waiver) { w.Until = "" }, "until is missing"},
		{func(w *verdict.Waiver) { w.Rule = "*" }, "<pack>.<rule>"},
		{func(w *verdict.Waiver) { w.Rule = "spark.u*" }, "<pack>.<rule>"},
		{func(w *verdict.Waiver) { w.Until = "31.1.2027" }, "YYYY-MM-DD"},
		{func(w *verdict.Waiver) { w.Until = "2027-02-30" }, "YYYY-MM-DD"},
	} {
		w := good
		c.change(&w)
		err := check.CheckWaivers([]verdict.Waiver{w})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", w, err)
		case c.want != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: %v, want %q", w, err, c.want)
		}
	}
}

// FuzzWaiver holds that no waiver without an owner, a reason and a day that is yet to end covers anything.
func FuzzWaiver(f *testing.F) {
	f.Add("base.user", "because", "team", "2026-03-11")
	f.Add("base.*", "", "team", "2026-03-10")
	f.Add("base.user", "because", "team", "2026-02-30")
	f.Add("*", "x", "x", "9999-12-31")
	packs := load(f, "base")
	facts := plain(f)
	f.Fuzz(func(t *testing.T, rule, reason, owner, until string) {
		w := verdict.Waiver{Rule: rule, Reason: reason, Owner: owner, Until: until}
		result, err := check.Run(t.Context(), check.Input{Facts: facts, Now: now}, packs, []verdict.Waiver{w})
		if err != nil {
			if !errors.Is(err, verdict.ErrUsage) {
				t.Fatal(err)
			}
			return
		}
		last, err := time.Parse(time.DateOnly, until)
		holds := err == nil && !now.After(last.AddDate(0, 0, 1)) && strings.TrimSpace(reason) != "" && strings.TrimSpace(owner) != ""
		for _, finding := range result.Findings {
			if finding.Severity == verdict.Medium && !finding.Blocking && !holds {
				t.Fatalf("%+v covers %s", w, finding.ID)
			}
		}
		if _, err := json.Marshal(result); err != nil {
			t.Fatal(err)
		}
	})
}

func sorted(list string) string {
	parts := strings.Split(list, "; ")
	for i := range parts {
		for j := i + 1; j < len(parts); j++ {
			if parts[j] < parts[i] {
				parts[i], parts[j] = parts[j], parts[i]
			}
		}
	}
	return strings.Join(parts, "; ")
}

func TestFailOn(t *testing.T) {
	t.Parallel()
	packs := load(t, "base")
	facts := plain(t)
	for _, c := range []struct {
		in   check.Input
		want []string
	}{
		{check.Input{}, []string{"base.os_known", "base.user"}},
		{check.Input{FailOn: verdict.Low}, []string{"base.labels", "base.os_known", "base.user"}},
		{check.Input{FailOn: verdict.High}, nil},
		{check.Input{FailOn: verdict.High, Params: map[string]map[string]any{"base": {"fail_on": "medium"}}}, []string{"base.os_known", "base.user"}},
		{check.Input{Params: map[string]map[string]any{"base": {"allow_root": true, "allow_no_os": true}}}, nil},
	} {
		c.in.Facts, c.in.Now = facts, now
		result, err := check.Run(t.Context(), c.in, packs, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range result.Findings {
			if f.Blocking {
				got = append(got, f.ID)
			}
		}
		if diff := cmp.Diff(sorted(strings.Join(c.want, "; ")), sorted(strings.Join(got, "; "))); diff != "" {
			t.Errorf("%+v: %s", c.in, diff)
		}
	}
}
