package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// blocked is the error of a gate whose findings hold a blocking one; it names the first, which is the gravest.
func blocked(findings []verdict.Finding) error {
	count := 0
	var first verdict.Finding
	for _, f := range findings {
		if !f.Blocking {
			continue
		}
		if count == 0 {
			first = f
		}
		count++
	}
	if count == 0 {
		return nil
	}
	cause := fmt.Errorf("%s", describe(first))
	if count > 1 {
		cause = fmt.Errorf("%s (and %d more)", describe(first), count-1)
	}
	return &verdict.Error{Verdict: verdict.Fail, Code: "gate." + first.Gate, Doing: "the " + first.Gate + " gate stops the image", Cause: cause, Remedy: first.Remedy}
}

// describe is a finding in one line: rule or vulnerability, what it says, and where.
func describe(f verdict.Finding) string {
	text := f.ID + ": " + f.Message
	if f.Message == "" {
		text = f.ID + ": " + f.Title
	}
	if place := f.Place.String(); place != "" {
		text += " [" + place + "]"
	}
	return text
}

// stopped marks the error with which a gate's step ends, so that the other gate may still speak before the run does.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

// withoutGate drops the error of a gate that did its work and found the image wanting: the findings say so.
func withoutGate(err error) error {
	if errors.As(err, &stopped{}) {
		return nil
	}
	return err
}

// Tally says what findings amount to in a few words: "2 blocking, 1 waived, 31 to note".
func Tally(findings []verdict.Finding) string { return tally(findings) }

// tally says what findings amount to in a few words.
func tally(findings []verdict.Finding) string {
	blocking, waived := verdict.Count(findings)
	others := len(findings) - blocking - waived
	if len(findings) == 0 {
		return "nothing found"
	}
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{blocking, "blocking"}, {waived, "waived"}, {others, "to note"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	return strings.Join(parts, ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
