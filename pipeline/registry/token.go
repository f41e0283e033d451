package registry

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Bounds of what a token service may answer. A token is used for nine tenths of its life, and a life that is not
// stated is a minute: so says Docker's token specification.
const (
	maxTokenBody = 1 << 20
	tokenLife    = 60 * time.Second
)

// fetchToken asks the service that the challenge names for a token with the given scopes.
// See https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/.
func (a *author) fetchToken(ctx context.Context, host, repository string, asked *challenge, scopes []string) (*token, error) {
	credential, err := a.credentials.find(ctx, host, repository)
	if err != nil {
		return nil, beforeSending(err)
	}
	fresh, err := a.fetchTokenFor(ctx, credential, host, asked, scopes)
	denied := (*verdict.Error)(nil)
	if errors.As(err, &denied) && denied.Code == CodeDenied && a.credentials.azure.forget(host, credential.IdentityToken) {
		// It may have ended earlier than it said.
		if credential, err = a.credentials.find(ctx, host, repository); err != nil {
			return nil, beforeSending(err)
		}
		return a.fetchTokenFor(ctx, credential, host, asked, scopes)
	}
	return fresh, err
}

// beforeSending marks an error that knows what it is as one before anything was sent.
func beforeSending(err error) error {
	if known := (*verdict.Error)(nil); errors.As(err, &known) {
		return &tokenError{err: err}
	}
	return err
}

func (a *author) fetchTokenFor(ctx context.Context, credential authn.AuthConfig, host string, asked *challenge, scopes []string) (*token, error) {
	if credential.RegistryToken != "" {
		return &token{value: credential.RegistryToken, expires: time.Now().Add(tokenLife)}, nil
	}
	realm, err := a.checkRealm(ctx, host, asked.parameters["realm"])
	if err != nil {
		return nil, answerError("signing in to", host, "%w", err)
	}
	if a.credentials.azure.leaves(host, credential.IdentityToken, realm.Host) {
		return nil, answerError("signing in to", host, "its token service is at %s, which is no registry of Azure", quoted(realm.Host))
	}
	var resp *http.Response
	if credential.IdentityToken != "" {
		resp, err = a.post(ctx, realm, asked.parameters["service"], scopes, credential.IdentityToken)
		if err == nil && (resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed) {
			discard(resp) // a service that knows only GET
			resp, err = a.get(ctx, realm, asked.parameters["service"], scopes, credential)
		}
	} else {
		resp, err = a.get(ctx, realm, asked.parameters["service"], scopes, credential)
	}
	if err != nil {
		return nil, &tokenError{err: err}
	}
	return a.readToken(resp, host)
}

func (a *author) get(ctx context.Context, realm *url.URL, service string, scopes []string, credential authn.AuthConfig) (*http.Response, error) {
	target := *realm
	query := target.Query()
	query["scope"] = scopes
	if service != "" {
		query.Set("service", service)
	}
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, err
	}
	if header := basicHeader(credential); header != "" {
		req.Header.Set("Authorization", header)
	}
	return a.next.RoundTrip(req)
}

func (a *author) post(ctx context.Context, realm *url.URL, service string, scopes []string, identity string) (*http.Response, error) {
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {identity}, "client_id": {"hallmark"},
		"service": {service}, "scope": {strings.Join(scopes, " ")},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, realm.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return a.next.RoundTrip(req)
}

func (a *author) readToken(resp *http.Response, host string) (*token, error) {
	defer resp.Body.Close()
	body, err := readBounded(resp.Body, maxTokenBody)
	if err != nil {
		return nil, &tokenError{err: err}
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return nil, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: CodeDenied, Doing: "signing in to", Object: host,
			Cause:  marked{redacted(errors.New(strings.Replace(explanation(resp, body), "the registry", "its token service", 1))), verdict.ErrUsage},
			Remedy: a.credentials.remedy(host),
		}
	case resp.StatusCode != http.StatusOK:
		text := strings.Replace(explanation(resp, body), "the registry", "the token service", 1)
		return nil, &tokenError{resp: resp, err: errors.New(text)}
	}
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, answerError("signing in to", host, "its token service answered something that is not JSON")
	}
	value := answer.Token
	if value == "" {
		value = answer.AccessToken
	}
	if value == "" || strings.ContainsAny(value, "\r\n") {
		return nil, answerError("signing in to", host, "its token service answered without a token")
	}
	secret.Mask(value)
	life := tokenLife
	if answer.ExpiresIn > 0 {
		life = time.Duration(min(answer.ExpiresIn, 24*60*60)) * time.Second
	}
	return &token{value: value, expires: time.Now().Add(life * 9 / 10)}, nil
}

// tokenError is a token that could not be had. Whatever the token was for has not been sent.
type tokenError struct {
	resp *http.Response // nil: there was no answer
	err  error
}

func (e *tokenError) Error() string { return "getting a token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }
