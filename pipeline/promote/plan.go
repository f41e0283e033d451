package promote

import (
	"context"
	"fmt"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Plan is what a promotion would do, by what the tag points to now.
type Plan struct {
	Request Request
	From    string // what the tag points to; empty: it is not there
	Needed  bool   // false: it points to the subject already
}

// Look plans one promotion with one HEAD, and refuses it when the tag points elsewhere than expected.
func Look(ctx context.Context, reg Registry, request Request) (Plan, error) {
	if err := request.check(); err != nil {
		return Plan{}, err
	}
	digest, found, err := reg.Head(ctx, request.Subject.Repository, request.Tag)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Request: request, From: digest, Needed: digest != request.Subject.Digest}
	if !found {
		plan.From, plan.Needed = "", true
	}
	switch expected := request.Expect; {
	case !plan.Needed, expected == "":
		return plan, nil
	case expected == Absent && found:
		return plan, conflict(request, digest, "was expected not to be there yet")
	case expected != Absent && expected != plan.From:
		return plan, conflict(request, plan.From, "was expected to point to "+expected)
	}
	return plan, nil
}

// conflict says that someone else holds the tag, and who: the digest at holder ("": nobody).
func conflict(request Request, holder, expectation string) error {
	state := "points to " + holder
	if holder == "" {
		state = "is not there"
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "promote.conflict", Doing: "promoting", Object: request.Subject.String(),
		Cause:  fmt.Errorf("%w: %s %s, but %s: someone else moved it", verdict.ErrConflict, request.object(), state, expectation),
		Remedy: "Look at what holds the tag now, then promote again if this image is to replace it",
	}
}
