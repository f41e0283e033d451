package check

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

var waived = regexp.MustCompile(`^[a-z][a-z0-9_]*\.(\*|[a-z][a-z0-9_]*)$`)

// CheckWaivers says what is wrong with waivers, all of it at once, as a usage error. An expired waiver is not wrong: it
// fails where it would have covered something.
func CheckWaivers(waivers []verdict.Waiver) error {
	var wrong []error
	for i, w := range waivers {
		bad := func(format string, args ...any) {
			wrong = append(wrong, fmt.Errorf("%w: waiver %d (%s): %s", verdict.ErrUsage, i+1, foreign.Spelled(w.Rule), fmt.Sprintf(format, args...)))
		}
		for _, field := range []struct{ name, value string }{
			{"rule", w.Rule}, {"reason", w.Reason}, {"owner", w.Owner}, {"until", w.Until},
		} {
			if strings.TrimSpace(field.value) == "" {
				bad("%s is missing: a waiver says rule, reason, owner and until", field.name)
			}
		}
		if w.Rule != "" && !waived.MatchString(w.Rule) {
			bad("the rule must be <pack>.<rule>, or <pack>.* for all of a pack")
		}
		if _, err := time.Parse(time.DateOnly, w.Until); w.Until != "" && err != nil {
			bad("until must be a day, YYYY-MM-DD, not %q", foreign.Spelled(w.Until))
		}
	}
	return errors.Join(wrong...)
}

func covers(w verdict.Waiver, id string) bool {
	pack, all := strings.CutSuffix(w.Rule, "*")
	return w.Rule == id || all && strings.HasPrefix(id, pack)
}

// applyWaivers gives each finding the waiver that covers it. One that still holds goes before one that has ended; a
// finding that only an ended one covers blocks as if there were none, and says so.
func applyWaivers(findings []verdict.Finding, waivers []verdict.Waiver, now time.Time) []verdict.Finding {
	for i := range findings {
		f := &findings[i]
		for _, w := range waivers {
			if !covers(w, f.ID) {
				continue
			}
			if !w.ExpiredAt(now) {
				f.Waiver, f.Blocking = &w, false
				break
			}
			if f.Waiver == nil || f.Waiver.Until < w.Until {
				f.Waiver = &w
			}
		}
		if f.Waiver != nil && f.Waiver.ExpiredAt(now) {
			f.Message += fmt.Sprintf(" (the waiver of %s ended on %s)", clean(f.Waiver.Owner), f.Waiver.Until)
		}
	}
	return findings
}

// unusedWaivers notes waivers that cover nothing: they are misspelt, or may go.
func unusedWaivers(findings []verdict.Finding, waivers []verdict.Waiver, packs []*Pack, req request) []verdict.Finding {
	var ids, out []string
	var notes []verdict.Finding
	for _, p := range packs {
		for _, r := range p.Rules {
			ids = append(ids, r.ID)
		}
	}
	for _, w := range waivers {
		if slices.ContainsFunc(findings, func(f verdict.Finding) bool { return covers(w, f.ID) }) || slices.Contains(out, w.Rule) {
			continue
		}
		out = append(out, w.Rule)
		note := verdict.Finding{
			ID: "waiver.unused", Gate: req.gate, Kind: req.kind, Severity: verdict.Low, Title: "A waiver covers nothing",
			Message: fmt.Sprintf("the waiver of %s by %s covers nothing: the rule passes", w.Rule, clean(w.Owner)),
			Remedy:  "Remove the waiver.", Waiver: &w,
		}
		if !slices.ContainsFunc(ids, func(id string) bool { return covers(w, id) }) {
			note.Message = fmt.Sprintf("the waiver of %s by %s covers nothing: no pack that was asked has such a rule", w.Rule, clean(w.Owner))
			note.Remedy = strings.TrimSpace("Correct the waiver's rule or remove the waiver. " + didYouMean(w.Rule, nearby(w.Rule, ids)))
		}
		notes = append(notes, note)
	}
	return notes
}

// nearby narrows ids to those of the same pack, where there are any.
func nearby(rule string, ids []string) []string {
	pack, _, _ := strings.Cut(rule, ".")
	same := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !strings.HasPrefix(id, pack+".") })
	if len(same) > 0 {
		return same
	}
	return slices.Clone(ids)
}
