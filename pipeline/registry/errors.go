package registry

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Codes of the errors of this package. None of them is ever the image's fault.
const (
	CodeUnreachable = "registry.unreachable"  // no answer: network, name, TLS, silence
	CodeUnavailable = "registry.unavailable"  // 5xx
	CodeRateLimited = "registry.rate-limited" // 429, for longer than we may wait
	CodeDenied      = "registry.denied"       // 401, 403: configuration
	CodeNotFound    = "registry.not-found"    // 404
	CodeConflict    = "registry.conflict"     // 412, 409: someone else was first
	CodeRefused     = "registry.refused"      // any other 4xx
	CodeTooManyTags = "registry.too-many-tags"
	CodeAnswer      = "registry.answer" // an answer that no registry gives: HTML, wrong digest, too large
)

// ErrNotFound marks what the registry does not have.
var ErrNotFound = errors.New("not found")

// ErrTagsUnlisted marks a list of tags that could not be read to its end, because it is too long or has none.
var ErrTagsUnlisted = errors.New("the list of tags has no end in reach")

// ErrUncertain marks a write of which it is not known whether it took effect: the answer was lost on the way. Only
// reading back tells.
var ErrUncertain = errors.New("it is not known whether the write took effect")

// maxErrorBody bounds what is read of an answer that only explains a refusal.
const maxErrorBody = 64 << 10

// fail makes the error of a request that got no answer.
func (c *Client) fail(err error, doing, object string) error {
	var already *verdict.Error
	if errors.As(err, &already) {
		return already
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, verdict.ErrUsage) {
		return fmt.Errorf("%s %s: %w", doing, object, err)
	}
	// The libraries' "Put https://…?_state=…:" says less than doing and object do.
	for inner := (*url.Error)(nil); errors.As(err, &inner); {
		uncertainly := errors.Is(err, ErrUncertain)
		if err = inner.Err; uncertainly {
			err = uncertain(err)
		}
	}
	e := &verdict.Error{Verdict: verdict.Inconclusive, Code: CodeUnreachable, Doing: doing, Object: object, Cause: redacted(err)}
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		e.Remedy = "Add the authority that signed the registry's certificate to the ones that this machine trusts"
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.Remedy = "Name the host among the plain-HTTP hosts if it speaks no TLS"
	case byProxy(err):
		e.Remedy = "Check the proxy that HTTPS_PROXY or HTTP_PROXY names, or put the registry's host into NO_PROXY, then run again"
	default:
		e.Remedy = "Check that the registry is up and can be reached from here, then run again"
	}
	return e
}

// failStatus makes the error of an answer, and consumes it.
func (c *Client) failStatus(resp *http.Response, doing, object string) error {
	body, _ := peek(resp, maxErrorBody)
	return c.failCode(resp.StatusCode, explanation(resp, body), resp.Header, resp.Request, doing, object)
}

func (c *Client) failCode(status int, text string, header http.Header, req *http.Request, doing, object string) error {
	e := &verdict.Error{Verdict: verdict.Inconclusive, Doing: doing, Object: object, Cause: redacted(errors.New(text))}
	host := ""
	if req != nil {
		host = req.URL.Host
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Code, e.Cause = CodeDenied, marked{e.Cause, verdict.ErrUsage}
		e.Remedy = c.credentials.remedy(host)
	case status == http.StatusNotFound:
		e.Code, e.Cause = CodeNotFound, marked{e.Cause, ErrNotFound}
		e.Remedy = "Check the name; some registries also say this where the credential may not look (" + c.credentials.used(host) + ")"
	case status == http.StatusPreconditionFailed, status == http.StatusConflict:
		e.Code, e.Cause = CodeConflict, marked{e.Cause, verdict.ErrConflict}
		e.Remedy = "Look at who holds the tag now, then run again"
	case status == http.StatusTooManyRequests:
		e.Code = CodeRateLimited
		e.Remedy = "Run again later, or sign in to get a higher limit"
		if asked := header.Get(askedHeader); asked != "" {
			e.Remedy = "Run again in " + asked + ", which is what the registry asks for and more than one run waits"
		}
	case status >= 500:
		e.Code, e.Remedy = CodeUnavailable, "Run again when the registry has recovered; what was done so far is kept"
	default:
		e.Code, e.Remedy = CodeRefused, "Check that the registry and this repository take what is being written"
	}
	if tries := header.Get(triesHeader); tries != "" && tries != "1" {
		e.Cause = fmt.Errorf("%w (after %s tries)", e.Cause, tries)
	}
	return e
}

// Explain makes the package's error of one that go-containerregistry, or cosign through it, returned.
func (c *Client) Explain(err error, doing, object string) error {
	var status *transport.Error
	if err == nil || !errors.As(err, &status) {
		if err == nil {
			return nil
		}
		return c.fail(err, doing, object)
	}
	texts := []string{fmt.Sprintf("the registry answered %d %s", status.StatusCode, http.StatusText(status.StatusCode))}
	for _, diagnostic := range status.Errors {
		texts = append(texts, string(diagnostic.Code)+" "+diagnostic.Message)
	}
	return c.failCode(status.StatusCode, strings.Join(texts, ": "), http.Header{}, status.Request, doing, object)
}

// explanation is what a refusal says: the registry's own words where it has any, else how it looks.
func explanation(resp *http.Response, body []byte) string {
	text := fmt.Sprintf("the registry answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	var answer struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &answer) == nil && len(answer.Errors) > 0 {
		for _, e := range answer.Errors[:min(len(answer.Errors), 3)] {
			text += ": " + quoted(strings.TrimSpace(e.Code+" "+e.Message))
		}
		return text
	}
	if isWebPage(resp) || strings.HasPrefix(strings.TrimSpace(strings.ToLower(string(body[:min(len(body), 64)]))), "<") {
		return text + ", with a web page instead of a registry's answer (is there a proxy or a sign-in page in between?)"
	}
	if plain := quoted(string(body)); plain != "" {
		return text + ": " + plain
	}
	return text
}

// quoted is what a registry says, short enough for an error.
func quoted(text string) string { return foreign.Short(text, 200) }

// marked is err, also known as mark; it reads as err alone.
type marked struct{ err, mark error }

func (m marked) Error() string   { return m.err.Error() }
func (m marked) Unwrap() []error { return []error{m.err, m.mark} }

// redactedError keeps the chain of err for errors.Is, and shows it without secrets.
type redactedError struct{ err error }

func (r redactedError) Error() string { return secret.Redact(r.err.Error()) }
func (r redactedError) Unwrap() error { return r.err }

func redacted(err error) error { return redactedError{err} }

// answerError is the error of an answer that no registry should give.
func answerError(doing, object, format string, args ...any) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeAnswer, Doing: doing, Object: object,
		Cause:  fmt.Errorf(format, args...),
		Remedy: "Check what stands between here and the registry: a proxy, a mirror or a sign-in page",
	}
}

// readBounded reads a body of at most limit bytes.
func readBounded(body io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w of %d bytes", errTooLarge, limit)
	}
	return data, nil
}

var errTooLarge = errors.New("the answer exceeds the limit")

// isWebPage says whether an answer is for browsers: a sign-in page or a proxy's.
func isWebPage(resp *http.Response) bool {
	return strings.Contains(resp.Header.Get("Content-Type"), "html")
}
