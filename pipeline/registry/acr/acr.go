// Package acr logs in to Azure Container Registry without a secret: a token that says which job this is becomes, at Entra,
// one of an application that trusts that job, and that one, at the registry, what `docker login` would store.
//
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (third case), and
// https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md.
package acr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// CodeLogin marks that Entra or the registry did not answer a login.
const CodeLogin = "registry.azure-login"

// Audience is whom the job's token must be for; audience is whom Entra's is for.
const (
	Audience = "api://AzureADTokenExchange"

	audience = "https://containerregistry.azure.net/.default"
	entra    = "https://login.microsoftonline.com"
)

// How the two are asked, and how long what a registry gave is used: it holds for three hours.
const (
	tries     = 3
	asking    = 15 * time.Second
	mostBytes = 256 << 10
	life      = time.Hour
)

// Login is an application's, for every registry that lets it in.
type Login struct {
	Tenant, Application string
	// Authority is Entra's address; empty: the public one.
	Authority string
	// Assertion fetches the job's token.
	Assertion func(context.Context) (string, error)
	// Transport carries the requests; nil: the usual one.
	Transport http.RoundTripper
	// Wait is the first pause before another try, doubled each time; 0: a second.
	Wait time.Duration

	mu    sync.Mutex
	known map[string]known
}

type known struct {
	token string
	until time.Time
}

// registries are Azure's own: nobody else answers below that name.
var registries = regexp.MustCompile(`^[a-z0-9-]{5,80}\.azurecr\.io$`)

// Token returns an identity token for host, and says where it is from; empty: host is no registry of Azure.
func (l *Login) Token(ctx context.Context, host string) (token, from string, err error) {
	if !registries.MatchString(host) {
		return "", "", nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	from = "the application " + foreign.Short(l.Application, 80) + " of Entra, as this job"
	if kept, ok := l.known[host]; ok && time.Now().Before(kept.until) {
		return kept.token, from, nil
	}
	assertion, err := l.Assertion(ctx)
	if err != nil {
		return "", "", fmt.Errorf("logging in to %s: %w", host, err)
	}
	secret.Mask(assertion)
	authority := l.Authority
	if authority == "" {
		authority = entra
	}
	if !strings.HasPrefix(authority, "https://") {
		return "", "", fmt.Errorf("%w: logging in to %s: AZURE_AUTHORITY_HOST is %s, and the job's token goes by https only", verdict.ErrUsage, host, foreign.Short(authority, 200))
	}
	access, err := l.ask(ctx, strings.TrimRight(authority, "/")+"/"+url.PathEscape(l.Tenant)+"/oauth2/v2.0/token", "access_token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {l.Application}, "scope": {audience}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}, "Give the application "+foreign.Short(l.Application, 80)+" a federated credential whose issuer and subject are this job's")
	if err != nil {
		return "", "", err
	}
	token, err = l.ask(ctx, "https://"+host+"/oauth2/exchange", "refresh_token", url.Values{
		"grant_type": {"access_token"}, "service": {host}, "tenant": {l.Tenant}, "access_token": {access},
	}, "Give the application the role AcrPush on the registry, or AcrPull where it only reads")
	if err != nil {
		return "", "", err
	}
	if l.known == nil {
		l.known = map[string]known{}
	}
	l.known[host] = known{token, time.Now().Add(life)}
	return token, from, nil
}

// ask posts a form and returns one field of the answer, a secret.
func (l *Login) ask(ctx context.Context, address, field string, form url.Values, remedy string) (string, error) {
	transport := l.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	// No redirects: what is posted is for the address alone.
	client := &http.Client{Transport: transport, Timeout: asking, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	host := address
	if at, err := url.Parse(address); err == nil {
		host = at.Host
	}
	wait := l.Wait
	if wait == 0 {
		wait = time.Second
	}
	for try := 1; ; try++ {
		status, body, err := post(ctx, client, address, form)
		switch {
		case err == nil && status == http.StatusOK:
			var said map[string]any
			if err = json.Unmarshal(body, &said); err == nil {
				if text, _ := said[field].(string); text != "" {
					secret.Mask(text)
					return text, nil
				}
				err = fmt.Errorf("the answer has no %s", field)
			}
		case err == nil && status >= 400 && status < 500 && status != http.StatusTooManyRequests:
			return "", fmt.Errorf("%w: logging in to Azure: %s refuses, with status %d: %s. %s", verdict.ErrUsage, host, status, reason(body), remedy)
		case err == nil:
			err = fmt.Errorf("%s answers with status %d", host, status)
		}
		if try == tries || ctx.Err() != nil {
			return "", &verdict.Error{
				Verdict: verdict.Inconclusive, Code: CodeLogin, Doing: "logging in to Azure:", Object: host,
				Cause: errors.New(foreign.Short(err.Error(), 300)), Remedy: "Run the job again",
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait *= 2
		}
	}
}

func post(ctx context.Context, client *http.Client, address string, form url.Values) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, mostBytes))
	return response.StatusCode, body, err
}

// reason is what Entra or a registry says of a refusal, in its first line: the rest is numbers for its own people.
func reason(body []byte) string {
	var said struct {
		Description string `json:"error_description"`
		Errors      []struct {
			Code, Message string
		}
	}
	text := string(body)
	if json.Unmarshal(body, &said) == nil {
		switch {
		case said.Description != "":
			text = said.Description
		case len(said.Errors) > 0:
			text = said.Errors[0].Code + ": " + said.Errors[0].Message
		}
	}
	line, _, _ := strings.Cut(text, "\n")
	return foreign.Short(secret.Redact(line), 300)
}
