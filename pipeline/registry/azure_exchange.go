package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	azpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// azureScope is what the registries of all clouds want Entra's token to be for. Tokens for the resource manager, which
// older clients show, are refused by registries where authentication-as-arm is off.
const azureScope = "https://containerregistry.azure.net/.default"

// signIn gets a refresh token for host: Entra ID takes the proof and gives an access token, which the registry exchanges.
func (a *azureLogin) signIn(ctx context.Context, host string, app application, proof string) (string, error) {
	access, err := a.entra(ctx, host, app, proof)
	if err != nil {
		return "", err
	}
	secret.Mask(access)
	return a.exchange(ctx, host, app, access)
}

// entra gets an access token from Entra ID.
func (a *azureLogin) entra(ctx context.Context, host string, app application, proof string) (string, error) {
	carrier := &azureCarrier{http: a.http}
	options := azcore.ClientOptions{
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: app.authority},
		Transport: carrier,
		Retry:     azpolicy.RetryOptions{MaxRetries: -1}, // the carrier repeats
	}
	var credential azcore.TokenCredential
	var err error
	if app.by == envAzureSecret {
		credential, err = azidentity.NewClientSecretCredential(app.tenant, app.client, proof, &azidentity.ClientSecretCredentialOptions{ClientOptions: options})
	} else {
		assertion := func(context.Context) (string, error) { return proof, nil }
		credential, err = azidentity.NewClientAssertionCredential(app.tenant, app.client, assertion, &azidentity.ClientAssertionCredentialOptions{ClientOptions: options})
	}
	if err != nil {
		return "", fmt.Errorf("%w: signing in to %s as %s: %s. Check %s and %s", verdict.ErrUsage, host, app, foreign.Short(err.Error(), 300), envAzureTenant, envAzureAuthority)
	}
	answer, err := credential.GetToken(ctx, azpolicy.TokenRequestOptions{Scopes: []string{azureScope}})
	if err == nil {
		return answer.Token, nil
	}
	failed := (*azidentity.AuthenticationFailedError)(nil)
	switch {
	case ctx.Err() != nil:
		return "", azureSilent(ctx, host, "Entra ID", ctx.Err())
	case errors.As(err, &failed) && failed.RawResponse != nil:
		body, _ := runtime.Payload(failed.RawResponse)
		return "", refusedByEntra(host, app, proof, failed.RawResponse, body)
	case carrier.err != nil:
		return "", azureSilent(ctx, host, "Entra ID", carrier.err)
	}
	return "", answerError("signing in to", host, "Entra ID's answer cannot be used: %s", foreign.Short(err.Error(), 300))
}

// azureCarrier is our chain below Azure's library, which does not tell in a way to rely on that nobody answered.
type azureCarrier struct {
	http *http.Client
	err  error
}

// Do sends a request for a token, and bounds the answer.
func (c *azureCarrier) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req.WithContext(harmless(req.Context())))
	if err != nil {
		c.err = err
		return nil, err
	}
	body, err := readBounded(resp.Body, maxTokenBody)
	_ = resp.Body.Close()
	if err != nil {
		c.err = err
		return nil, err
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp, nil
}

// refusedByEntra makes the error of an answer of Entra ID: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func refusedByEntra(host string, app application, proof string, resp *http.Response, body []byte) error {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	text := fmt.Sprintf("Entra ID answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	words := json.Unmarshal(body, &said) == nil && said.Error != ""
	if words {
		description, _, _ := strings.Cut(said.Description, " Trace ID:")
		text += ": " + foreign.Short(said.Error+": "+description, 400)
	}
	if err := azureOutage(resp, host, text, words); err != nil {
		return err
	}
	if said.Error == "temporarily_unavailable" {
		return azureError(CodeUnavailable, host, text, azureLater)
	}
	remedy := fmt.Sprintf("Check that %s and %s name the application, in the tenant that the registry belongs to", envAzureClient, envAzureTenant)
	if app.by == envAzureSecret {
		remedy += ", and that " + envAzureSecret + " is one of its secrets and has not ended"
	} else if claims, ok := claimsOf(proof); ok {
		remedy += fmt.Sprintf(", and that a federated credential of it has exactly the issuer %s and the subject %s, capitals included",
			foreign.Quoted(claims.Issuer, 200), foreign.Quoted(claims.Subject, 300))
	} else {
		remedy += ", and that a federated credential of it trusts the token's issuer and subject; what was shown is no JSON Web Token"
	}
	return azureDenied(host, app, text, remedy)
}

// exchange gets a refresh token for Entra's access token: https://azure.github.io/acr/AAD-OAuth.html
func (a *azureLogin) exchange(ctx context.Context, host string, app application, access string) (string, error) {
	form := url.Values{"grant_type": {"access_token"}, "service": {host}, "tenant": {app.tenant}, "access_token": {access}}
	req, err := http.NewRequestWithContext(harmless(ctx), http.MethodPost, "https://"+host+"/oauth2/exchange", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := a.http.Do(req)
	if err != nil {
		return "", azureSilent(ctx, host, "the registry", err)
	}
	defer resp.Body.Close()
	body, err := readBounded(resp.Body, maxTokenBody)
	if err != nil {
		return "", azureSilent(ctx, host, "the registry", err)
	}
	if resp.StatusCode != http.StatusOK {
		text := explanation(resp, body)
		if err := azureOutage(resp, host, text, !isWebPage(resp)); err != nil {
			return "", err
		}
		return "", azureDenied(host, app, text, fmt.Sprintf("Check that the registry belongs to tenant %s and that the application has a role there: %s", app.tenant, azureRoles))
	}
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.RefreshToken == "" {
		return "", answerError("signing in to", host, "it answered without a refresh token")
	}
	secret.Mask(answer.RefreshToken)
	return answer.RefreshToken, nil
}

// What people are told to do.
const (
	azureLater = "Run again later; what was done so far is kept"
	azureRoles = "AcrPush, or AcrPull where it only reads (where roles are given by repository, Container Registry Repository Writer or Reader). A new role takes minutes to be known"
)

func azureError(code, host, text, remedy string) *verdict.Error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: code, Doing: "signing in to", Object: host,
		Cause: errors.New(secret.Redact(text)), Remedy: remedy,
	}
}

// azureSilent is the error of who did not answer.
func azureSilent(ctx context.Context, host, who string, cause error) error {
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return fmt.Errorf("signing in to %s: %w", host, context.Cause(ctx))
	}
	for inner := (*url.Error)(nil); errors.As(cause, &inner); {
		cause = inner.Err
	}
	return azureError(CodeUnreachable, host, fmt.Sprintf("%s does not answer: %s", who, foreign.Short(cause.Error(), 300)), "Check that it can be reached from here, then run again")
}

// azureOutage is the error of an answer that is no refusal: who was asked is ill, or something else answered (the words are
// not those of who was asked). nil: it is a refusal.
func azureOutage(resp *http.Response, host, text string, words bool) error {
	if tries := resp.Header.Get(triesHeader); tries != "" && tries != "1" {
		text += fmt.Sprintf(" (after %s tries)", tries)
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return azureError(CodeRateLimited, host, text, azureLater)
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusRequestTimeout:
		return azureError(CodeUnavailable, host, text, azureLater)
	case resp.StatusCode < 400 || !words:
		return answerError("signing in to", host, "%s", text)
	}
	return nil
}

// azureDenied is the error of an application that is not let in.
func azureDenied(host string, app application, text, remedy string) error {
	err := azureError(CodeDenied, host, fmt.Sprintf("as %s: %s", app, text), remedy)
	err.Cause = marked{err.Cause, verdict.ErrUsage}
	return err
}
