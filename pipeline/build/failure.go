package build

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	digest "github.com/opencontainers/go-digest"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// StepError is a failure at one place of the Dockerfile, told so that one need not look elsewhere.
type StepError struct {
	File    string
	Line    int      // from 1; 0: unknown
	Source  []string // the lines of the instruction
	Output  []string // the last lines that the step wrote
	Problem string   // "exit code 100"
}

const maxSource = 12 // lines of a long instruction that are shown

func (e *StepError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", place(e.File, e.Line), e.Problem)
	for i, line := range e.Source {
		if i == maxSource {
			fmt.Fprintf(&b, "\n  %4s | … %d more lines", "", len(e.Source)-maxSource)
			break
		}
		fmt.Fprintf(&b, "\n  %4d | %s", e.Line+i, line)
	}
	if len(e.Output) > 0 {
		b.WriteString("\n  the step's last output:")
		for _, line := range e.Output {
			b.WriteString("\n       > " + line)
		}
	}
	return b.String()
}

// told is a fault whose cause takes several lines: what to do next then stands on a line of its own.
type told struct{ fault *verdict.Error }

// Error reads as verdict.Error's does, but for the last line.
func (t told) Error() string {
	short := *t.fault
	short.Remedy = ""
	return short.Error() + "\n" + t.fault.Remedy + "."
}

// Unwrap gives the fault itself, to those who look for its verdict.
func (t told) Unwrap() error { return t.fault }

// outage are the words in which resolvers, dialers and registries say that they, not the image, are the trouble.
var outage = regexp.MustCompile(`(?i)no such host|connection refused|connection reset|i/o timeout|tls handshake timeout|` +
	`server misbehaving|network is unreachable|no route to host|context deadline exceeded|unexpected EOF|` +
	`(status|code)[^\n]{0,40}\b(429|5\d\d)\b|429 too many requests|500 internal server error|502 bad gateway|503 service unavailable|504 gateway time-?out|temporary failure in name resolution|` +
	`could not resolve|connection timed out|failed to establish a new connection|temporarily unavailable|x509: certificate signed by unknown authority`)

var (
	refused      = regexp.MustCompile(`(?i)pull access denied|insufficient_scope|unauthorized|authorization failed|\b40[13] (unauthorized|forbidden)|: denied`)
	absentSecret = regexp.MustCompile(`secret (\S+): not found`)
	// An image reference is never quoted; a path that COPY misses is.
	missing = regexp.MustCompile(`(?m)^[^"\s]+: not found$|failed to resolve source metadata for \S+: .*not found`)
)

// explain turns an engine's error into a verdict. Whose fault it is follows from where it happened: a step that ran
// and failed is the image's, unless its own words tell of an outage; what happened before a step ran is the
// surroundings', unless it is plain that the Dockerfile asks for what cannot be.
func explain(ctx context.Context, err error, file *dockerfile, watched *watcher) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if found := (*verdict.Error)(nil); errors.As(err, &found) {
		return err
	}
	text := secret.Redact(err.Error())
	at := locate(err, file)
	if exit := (*gwpb.ExitError)(nil); errors.As(err, &exit) {
		return stepFailed(at, exit, vertexOf(err), watched)
	}
	if exit, id := watched.exitTold(err); exit != nil {
		if lines := watched.lineOf(id); at.Line == 0 && lines.first > 0 {
			at.Line, at.Source = lines.first, file.excerpt(lines.first, lines.last)
		}
		return stepFailed(at, exit, id, watched)
	}
	fault := &verdict.Error{Doing: "building", Object: display(file.path), Cause: errors.New(shorten(text))}
	if at.Line > 0 {
		at.Problem = shorten(text)
		fault.Object, fault.Cause = "", at
	}
	switch {
	case absentSecret.MatchString(text):
		fault.Code, fault.Remedy = "build.no-secret", "Give the secret to the build"
		fault.Cause = usageCause{fault.Cause}
	case missing.MatchString(shorten(text)):
		fault.Code, fault.Remedy = "build.base-not-found", "Correct the image's name or tag, or push it first"
		fault.Cause = usageCause{fault.Cause}
	case refused.MatchString(text):
		fault.Code, fault.Remedy = "build.base-denied", "Check the image's name, and give credentials for its registry"
		fault.Cause = usageCause{fault.Cause}
	case outage.MatchString(text):
		fault.Verdict, fault.Code = verdict.Inconclusive, "build.unreachable"
		fault.Remedy = "Run again once it can be reached; finished steps are kept"
	case unsupported.MatchString(text):
		fault = tooOld(fault.Cause)
	case trouble.MatchString(text):
		fault.Verdict, fault.Code, fault.Remedy = verdict.Inconclusive, "build.engine", engineRemedy
	case at.Line > 0:
		fault.Verdict, fault.Code, fault.Remedy = verdict.Fail, "build.dockerfile", "Correct the instruction"
	default:
		fault.Verdict, fault.Code, fault.Remedy = verdict.Inconclusive, "build.engine", engineRemedy
	}
	return tell(fault)
}

const engineRemedy = "Run again; if it happens again, see the engine's log"

// tell chooses how the fault reads.
func tell(fault *verdict.Error) error {
	if strings.Contains(fault.Cause.Error(), "\n") {
		return told{fault}
	}
	return fault
}

// usageCause marks a cause as a mistake in what the user wrote without changing its words.
type usageCause struct{ error }

// Unwrap gives both the cause and the mark.
func (u usageCause) Unwrap() []error { return []error{u.error, verdict.ErrUsage} }

func stepFailed(at *StepError, exit *gwpb.ExitError, id digest.Digest, watched *watcher) error {
	at.Output = watched.tailOf(id)
	at.Problem = fmt.Sprintf("the step ended with exit code %d", exit.ExitCode)
	fault := &verdict.Error{
		Verdict: verdict.Fail, Code: "build.step-failed", Doing: "building", Cause: at,
		Remedy: "Correct the instruction, or what it runs",
	}
	if outage.MatchString(strings.Join(at.Output, "\n")) {
		fault.Verdict, fault.Code = verdict.Inconclusive, "build.step-unreachable"
		fault.Remedy = "Run again once what the step fetches from can be reached"
	}
	return tell(fault)
}

// locate finds the lines of the Dockerfile that err is about.
func locate(err error, file *dockerfile) *StepError {
	at := &StepError{File: display(file.path)}
	for _, source := range errdefs.Sources(err) {
		first, last := 0, 0
		for _, one := range source.Ranges { // one for each line of the instruction
			if first == 0 || int(one.Start.Line) < first {
				first = int(one.Start.Line)
			}
			last = max(last, int(one.End.Line), int(one.Start.Line))
		}
		if first > 0 {
			at.Line, at.Source = first, file.excerpt(first, last)
		}
	}
	return at
}

func vertexOf(err error) digest.Digest {
	var found *errdefs.VertexError
	if errors.As(err, &found) {
		return digest.Digest(found.Digest)
	}
	return ""
}

// noise is what layers of software put before the cause; it says nothing to people, and names that change each time.
var noise = regexp.MustCompile(`failed to (solve|run Build function|compute cache key|calculate checksum of ref \S+): |rpc error: code = \w+ desc = |dockerfile parse error on line \d+: `)

func shorten(text string) string { return strings.TrimSpace(noise.ReplaceAllString(text, "")) }
