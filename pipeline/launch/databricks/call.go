package databricks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Limits of retries of one request.
const (
	mostRetries   = 5 // after an answer of the 5xx kind, or none
	mostThrottled = 10
	firstPause    = 250 * time.Millisecond
	longestPause  = 8 * time.Second
	longestAsked  = 2 * time.Minute // that a Retry-After may ask for
)

// repeat says what may be done with a request that nobody knows to have been carried out.
type repeat bool

const (
	harmless repeat = true  // it reads, or ends what was to end anyway
	once     repeat = false // a second one would do a second thing
)

// call puts one request, again where that helps, and explains why it was not answered.
func (w *workspace) call(ctx context.Context, doing string, may repeat, request func(context.Context) error) error {
	for try := 1; ; try++ {
		err := request(ctx)
		if err == nil {
			return nil
		}
		if _, set := ctx.Deadline(); set && strings.Contains(err.Error(), "rate limiter") {
			<-ctx.Done() // the SDK's limiter says early that it will be too late
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pause, again := pauseAfter(err, try, may)
		if !again {
			return w.explain(doing, err)
		}
		progress.From(ctx).Notef("%s: %s; asked again in %s", doing, said(err), pause.Round(10*time.Millisecond))
		if until, set := ctx.Deadline(); set && time.Until(until) < pause {
			return w.explain(doing, err) // the deadline would come first, and say less
		}
		if err := w.wait(ctx, pause); err != nil {
			return err
		}
	}
}

// pauseAfter says whether to ask again, and when. Who is throttled was not heard at all, so that may always be repeated.
func pauseAfter(err error, try int, may repeat) (time.Duration, bool) {
	pause := min(firstPause<<(try-1), longestPause)
	pause += rand.N(pause / 4)
	answer := (*apierr.APIError)(nil)
	switch {
	case errors.As(err, &answer) && answer.StatusCode == http.StatusTooManyRequests:
		if asked, set := retryAfter(answer); set {
			pause = asked
		}
		return pause, try <= mostThrottled
	case errors.As(err, &answer) && answer.StatusCode == http.StatusServiceUnavailable && retryAfterSet(answer):
		asked, _ := retryAfter(answer)
		return asked, bool(may) && try <= mostRetries
	case errors.As(err, &answer):
		return pause, bool(may) && answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented && try <= mostRetries
	}
	return pause, bool(may) && unanswered(err) && !noToken(err) && try <= mostRetries
}

func retryAfterSet(answer *apierr.APIError) bool { _, set := retryAfter(answer); return set }

// retryAfter is how long the workspace asks to be left alone.
func retryAfter(answer *apierr.APIError) (time.Duration, bool) {
	if answer.ResponseWrapper == nil || answer.ResponseWrapper.Response == nil {
		return 0, false
	}
	text := answer.ResponseWrapper.Response.Header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 {
		return min(time.Duration(seconds*float64(time.Second)), longestAsked), true
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(time.Until(at), 0), longestAsked), true
	}
	return 0, false
}

// said is an answer in a few words.
func said(err error) string {
	answer := (*apierr.APIError)(nil)
	if errors.As(err, &answer) {
		return "the workspace answers with status " + strconv.Itoa(answer.StatusCode) + inWords(answer)
	}
	return "no answer (" + whatBroke(err) + ")"
}

func inWords(answer *apierr.APIError) string {
	text := answer.Message
	if strings.Contains(text, "<html") || strings.Contains(text, "<!DOCTYPE") {
		text = "a web page"
	}
	if answer.ErrorCode != "" && answer.ErrorCode != "<nil>" && answer.ErrorCode != "UNKNOWN" && answer.ErrorCode != "SCIM_" {
		text = answer.ErrorCode + ": " + text
	}
	if text = foreign.Short(secret.Redact(text), 300); text != "" {
		return " (" + strings.TrimRight(text, ".") + ")"
	}
	return ""
}

// status is the HTTP status of an answer; 0: there was none. Who gives out tokens answers, too.
func status(err error) int {
	if answer := (*apierr.APIError)(nil); errors.As(err, &answer) {
		return answer.StatusCode
	}
	if noToken(err) {
		return http.StatusUnauthorized // whatever is wrong with the request: it was for a token
	}
	return 0
}

// noToken says that no token is given out.
func noToken(err error) bool {
	if errors.As(err, new(*broken)) {
		return false
	}
	return errors.Is(err, apierr.ErrBadRequest) || errors.Is(err, apierr.ErrUnauthenticated) || errors.Is(err, apierr.ErrPermissionDenied) || errors.Is(err, apierr.ErrNotFound)
}

// gone says that what was asked about is not there.
func gone(err error) bool {
	answer := (*apierr.APIError)(nil)
	if !errors.As(err, &answer) {
		return false
	}
	return answer.StatusCode == http.StatusNotFound || answer.ErrorCode == "RESOURCE_DOES_NOT_EXIST" ||
		answer.StatusCode == http.StatusBadRequest && strings.Contains(answer.Message, "does not exist")
}

// explain makes a launch's error of what a request came to. None of it is the image's fault.
func (w *workspace) explain(doing string, err error) error {
	if none := (*noLogin)(nil); errors.As(err, &none) {
		return none.explained(doing)
	}
	known := &launch.Error{Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: doing + ": " + said(err), Cause: err}
	again := false
	switch code := status(err); {
	case code == http.StatusUnauthorized, code == http.StatusForbidden && badToken.MatchString(answered(err)):
		known.Code = launch.CodeConfiguration
		known.Reason = doing + ": " + w.name() + " does not accept who asks (" + w.authentication() + ")" + answered(err)
		known.Remedy = "Renew the token or the secret that DATABRICKS_… variables or the profile of .databrickscfg hold, and see that they belong to this workspace"
	case code == http.StatusForbidden:
		known.Code = launch.CodeConfiguration
		known.Remedy = "Ask an administrator of " + w.name() + " for the right to do this"
	case code == http.StatusTooManyRequests:
		known.Remedy = "Run the same command again when fewer others use the workspace"
		again = true
	case code >= 400 && code < 500:
		known.Code = launch.CodeConfiguration
		known.Remedy = "Correct the launch's settings in hallmark.yaml"
	case code >= 500:
		known.Remedy = "Run the same command again; see https://status.databricks.com if it stays so"
		again = true
	case unanswered(err):
		known.Reason = doing + ": " + w.name() + " does not answer: " + whatBroke(err)
		known.Remedy = "Check the host's name and the network between here and it, and run the same command again"
		again = true
	default: // the SDK did not come to ask: it found no way to log in
		known.Code = launch.CodeConfiguration
		known.Reason = doing + ": " + short(err)
		known.Remedy = "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or another of the ways to log in that Databricks documents, or name a profile of .databrickscfg"
	}
	return &fault{of: known, again: again}
}

// badToken is how the platform refuses a token that it does not know, with the status of a missing right.
var badToken = regexp.MustCompile(`(?i)invalid (?:access )?token|token (?:is |has )?(?:been )?(?:expired|revoked|disabled)`)

func answered(err error) string {
	if answer := (*apierr.APIError)(nil); errors.As(err, &answer) {
		return inWords(answer)
	}
	if noToken(err) {
		return ": no token is given out (" + whatBroke(err) + ")"
	}
	return ""
}

// configuration is a mistake in what somebody wrote or set up.
func configuration(reason, remedy string) error {
	return &fault{of: &launch.Error{Verdict: verdict.Inconclusive, Code: launch.CodeConfiguration, Reason: reason, Remedy: remedy}}
}

// noAnswer is the error of a workspace that does not answer any more; again says whether a fresh cluster may do.
func noAnswer(again bool, format string, args ...any) error {
	return &fault{of: &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: fmt.Sprintf(format, args...),
		Remedy: "Check the network between here and the workspace, and run the same command again",
	}, again: again}
}

// short is an error in one line without secrets.
func short(err error) string {
	return strings.TrimRight(foreign.Short(secret.Redact(err.Error()), 400), ".") // before it is cut: half a secret is one, too
}
