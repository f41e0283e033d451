package verdict

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// ErrConflict marks an error that says that someone else moved a tag meanwhile (exit code 4).
var ErrConflict = errors.New("conflict")

// ErrUsage marks an error in what the user wrote: flags, configuration, references (exit code 2).
var ErrUsage = errors.New("usage")

// Error is a failure that knows whom to blame and what to do next.
//
// It reads as one sentence: "<Doing> <Object>: <Cause>. <Remedy>".
type Error struct {
	Verdict Verdict // Fail: the image; Inconclusive: its surroundings; empty: see Cause
	Code    string  // short and stable, for machines: "registry.unreachable"
	Doing   string  // "pushing the manifest"
	Object  string  // "registry.example.com/spark@sha256:…"
	Cause   error
	Remedy  string // one sentence that starts with a verb
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Doing)
	if e.Object != "" {
		b.WriteString(" " + e.Object)
	}
	if e.Cause != nil {
		b.WriteString(": " + strings.TrimRight(e.Cause.Error(), ". \n"))
	}
	if e.Remedy != "" {
		b.WriteString(". " + e.Remedy)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// Plain is what err says to people. A usage error begins with its mark, which is for the exit code and says nothing to them.
func Plain(err error) string { return strings.TrimPrefix(err.Error(), ErrUsage.Error()+": ") }

// WithoutPath is what is wrong with a file, for sentences that name the file by themselves: "permission denied".
func WithoutPath(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// OfError is the verdict of an operation that returned err: none is a pass, an *Error's own verdict counts,
// and whatever is not known to be the image's fault is inconclusive.
func OfError(err error) Verdict {
	if err == nil {
		return Pass
	}
	if e := (*Error)(nil); errors.As(err, &e) && e.Verdict != "" {
		return e.Verdict
	}
	return Inconclusive
}

// ExitCodeOf is the exit code of a program that ends with err.
func ExitCodeOf(err error) int {
	switch {
	case err == nil:
		return ExitPass
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, ErrUsage):
		return ExitUsage
	case errors.Is(err, ErrConflict):
		return ExitConflict
	default:
		return OfError(err).ExitCode()
	}
}
