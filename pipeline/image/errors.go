package image

import (
	"context"
	"errors"
	"fmt"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Codes of the errors that blame the image, and of the one that does not.
const (
	CodeMalformed  = "image.malformed"  // the image breaks the rules of its formats
	CodeLimit      = "image.limit"      // the image asks for more than Limits allow
	CodeUnreadable = "image.unreadable" // the disk or the registry did not give the bytes
	CodeAnalyzer   = "image.analyzer"   // an analyzer gave up, which is not the image's fault
	CodePlatform   = "image.platform"   // the image has nothing for the platform that was asked for
)

// BadInput is the cause of an error that blames the image: what is wrong, and where. Find it with errors.As.
type BadInput struct {
	Place  verdict.Place
	Reason string
}

func (b *BadInput) Error() string {
	if b.Place.File != "" {
		return fmt.Sprintf("%s: %s", clip(b.Place.File), b.Reason)
	}
	return b.Reason
}

// clip quotes a name from an image for people.
func clip(name string) string { return foreign.Quoted(name, 120) }

func malformed(object string, place verdict.Place, format string, args ...any) error {
	return &verdict.Error{
		Verdict: verdict.Fail, Code: CodeMalformed, Doing: "reading", Object: object,
		Cause:  &BadInput{place, fmt.Sprintf(format, args...)},
		Remedy: "Build the image again with a tool that writes valid layers",
	}
}

// overLimit names the limit as the configuration does, so that whoever trusts the image can raise it.
func overLimit(object string, place verdict.Place, limit string, most int64, format string, args ...any) error {
	return &verdict.Error{
		Verdict: verdict.Fail, Code: CodeLimit, Doing: "reading", Object: object,
		Cause:  &BadInput{place, fmt.Sprintf(format, args...) + fmt.Sprintf(" (limit %s is %d)", limit, most)},
		Remedy: fmt.Sprintf("Make the image smaller, or raise the limit %s if this image may need it", limit),
	}
}

// unreadable blames the surroundings, unless the cause already knows whom to blame or is a cancellation.
func unreadable(object string, cause error) error {
	if known := (*verdict.Error)(nil); errors.As(cause, &known) ||
		errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("reading %s: %w", object, cause)
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeUnreadable, Doing: "reading", Object: object, Cause: cause,
		Remedy: "Check the disk and the registry, then run again",
	}
}
