package promote

import (
	"errors"
	"fmt"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// errUnknown marks a promotion of which it is not known whether the tag moved.
var errUnknown = errors.New("it is not known whether the tag has moved")

// mayHaveMoved says whether err leaves it open that the tag moved: then the journal must keep the intent.
func mayHaveMoved(err error) bool { return errors.Is(err, errUnknown) }

// unknown is the end of a promotion that could not be read back. wrote is the error of the write, if it had one.
func unknown(plan Plan, wrote, read error) error {
	text := "reading it back: " + plain(read)
	if wrote != nil {
		text = "writing it: " + plain(wrote) + "; " + text
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "promote.unknown", Doing: "promoting", Object: plan.Request.Subject.String(),
		Cause:  &unknownError{text: errUnknown.Error() + " (" + text + ")", read: read},
		Remedy: "Run again when the registry answers: the promotion is then finished, or found to be done",
	}
}

// unknownError reads as one sentence and keeps what stopped the reading: an interruption ends the program as such.
type unknownError struct {
	text string
	read error
}

func (u *unknownError) Error() string   { return u.text }
func (u *unknownError) Unwrap() []error { return []error{errUnknown, u.read} }

// refused is the end of a promotion that the registry would not make though nobody was quicker: a locked or immutable tag.
func refused(plan Plan, cause error) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "promote.refused", Doing: "promoting", Object: plan.Request.Subject.String(),
		Cause: misuse{fmt.Errorf("the registry does not let %s move from %s, which it still points to (%s)",
			plan.Request.object(), orNothing(plan.From), plain(cause))},
		Remedy: "Allow the tag to be written (it may be locked or immutable there), or promote to a tag that is not there yet",
	}
}

// plain is the innermost wording of cause, without its own remedy; and without its chain, for it is no conflict.
func plain(cause error) string {
	if e := (*verdict.Error)(nil); errors.As(cause, &e) && e.Cause != nil {
		return e.Cause.Error()
	}
	return cause.Error()
}

// withTrouble adds to err that the journal could not be cleared; err stays the first thing that is read.
func withTrouble(err, trouble error) error {
	if trouble == nil {
		return err
	}
	return fmt.Errorf("%w (and %w)", err, trouble)
}

// misuse is an error of what the user set up: it is verdict.ErrUsage, and reads as itself alone.
type misuse struct{ error }

func (m misuse) Unwrap() []error { return []error{m.error, verdict.ErrUsage} }
