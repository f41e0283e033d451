package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestAzureRefuses: who is not let in hears who they are, and what to look at; none of it is a secret.
func TestAzureRefuses(t *testing.T) {
	t.Parallel()
	type m = map[string]string
	for name, tt := range map[string]struct {
		cloud  func(c *azureCloud)
		claims map[string]any
		env    m
		says   []string
	}{
		"another subject": {
			claims: map[string]any{"sub": "repo:octo/app:pull_request"},
			says:   []string{"AADSTS700213", "exactly the issuer \"" + jobIssuer + "\" and the subject \"repo:octo/app:pull_request\"", "application " + azureClient, "tenant " + azureTenant},
		},
		"another issuer":      {claims: map[string]any{"iss": "https://gitlab.example.com"}, says: []string{"AADSTS700211", "https://gitlab.example.com"}},
		"another audience":    {claims: map[string]any{"aud": "sigstore"}, says: []string{"AADSTS700212"}},
		"a token that ended":  {claims: map[string]any{"exp": 1_700_000_000}, says: []string{"AADSTS700024"}},
		"another application": {env: m{"AZURE_CLIENT_ID": "00000000-1111-2222-3333-444444444444"}, says: []string{"AADSTS700016", "application 00000000-1111-2222-3333-444444444444 of"}},
		"another tenant":      {env: m{"AZURE_TENANT_ID": "99999999-1111-2222-3333-444444444444"}, says: []string{"AADSTS90002", "AZURE_TENANT_ID"}},
		"no tenant":           {env: m{"AZURE_TENANT_ID": "not/a tenant"}, says: []string{"AZURE_TENANT_ID"}},
		"Entra in the open":   {env: m{"AZURE_AUTHORITY_HOST": "http://login.microsoftonline.com"}, says: []string{"https", "AZURE_AUTHORITY_HOST"}},
		"a wrong secret":      {env: m{"AZURE_CLIENT_SECRET": "a-secret-of-somebody-else"}, says: []string{"AADSTS7000215", "AZURE_CLIENT_SECRET is one of its secrets"}},
		"a file that is gone": {env: m{"AZURE_FEDERATED_TOKEN_FILE": "/nowhere/token"}, says: []string{"/nowhere/token", "application " + azureClient}},
		"no role":             {cloud: func(c *azureCloud) { c.role = "" }, says: []string{"aka.ms/acr/authorization", "AcrPush", "tenant " + azureTenant}},
		"a role to read":      {cloud: func(c *azureCloud) { c.role = "pull" }, says: []string{"401", "Check the role that application " + azureClient, "AcrPush"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newAzureCloud(t)
			if tt.cloud != nil {
				tt.cloud(c)
			}
			shown := c.jobToken(t, tt.claims)
			client := newClient(t, asApplication(c, given(shown), tt.env))
			img := onDisk(t, 10, 1)
			err := client.Tag(t.Context(), subjectOf(t, azureHost+"/app", img), "golden", registry.TagOptions{Manifest: img})
			if verdict.ExitCodeOf(err) != verdict.ExitUsage || errors.Is(err, registry.ErrUncertain) {
				t.Fatalf("exit code %d: %v", verdict.ExitCodeOf(err), err)
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is missing in: %v", part, err)
				}
			}
			for _, hidden := range []string{shown, "somebody-else", "entra-access-", "acr-access-", "Trace ID"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("%q stands in: %v", hidden, err)
				}
			}
			if n := c.count("/oauth2/v2.0/token"); n > 2 {
				t.Errorf("%d tries where none helps", n)
			}
		})
	}
}

// TestAzureOutages: what may pass is waited for, within bounds, and is nobody's fault.
func TestAzureOutages(t *testing.T) {
	t.Parallel()
	const entra, exchange = "login.microsoftonline.com/" + azureTenant + "/oauth2/v2.0/token", azureHost + "/oauth2/exchange"
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, h := range header {
				w.Header().Set("Retry-After", h)
			}
			http.Error(w, "busy", code)
		}
	}
	for name, tt := range map[string]struct {
		at     string
		answer http.HandlerFunc
		code   string
		asked  int // 0: not counted
		says   string
	}{
		"Entra is ill":  {entra, status(http.StatusServiceUnavailable), registry.CodeUnavailable, 3, "503"},
		"Entra is busy": {entra, status(http.StatusTooManyRequests, "3600"), registry.CodeRateLimited, 1, "429"},
		"Entra passes": {entra, func(w http.ResponseWriter, _ *http.Request) {
			entraRefuses(w, 400, "temporarily_unavailable", "AADSTS90033: x")
		}, registry.CodeUnavailable, 1, "AADSTS90033"},
		"Entra hangs up":            {entra, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, registry.CodeUnreachable, 3, "Entra ID does not answer"},
		"Entra says nothing":        {entra, status(http.StatusOK), registry.CodeAnswer, 1, "cannot be used"},
		"Entra does not end":        {entra, endless, registry.CodeUnreachable, 0, "limit of 1048576 bytes"},
		"the registry is ill":       {exchange, status(http.StatusBadGateway), registry.CodeUnavailable, 3, "502"},
		"the registry is busy":      {exchange, status(http.StatusTooManyRequests, "3600"), registry.CodeRateLimited, 1, "429"},
		"the registry hangs up":     {exchange, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, registry.CodeUnreachable, 3, "the registry does not answer"},
		"the registry says nothing": {exchange, status(http.StatusOK), registry.CodeAnswer, 1, "without a refresh token"},
		"the registry does not end": {exchange, endless, registry.CodeUnreachable, 0, "limit of 1048576 bytes"},
		"the registry leads away": {exchange, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example.com/", http.StatusTemporaryRedirect)
		}, registry.CodeAnswer, 1, "307"},
		"Entra leads away": {entra, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example.com/", http.StatusTemporaryRedirect)
		}, registry.CodeAnswer, 1, "307"},
		"a proxy before Entra": {entra, status(http.StatusForbidden), registry.CodeAnswer, 1, "403"},
		"a proxy in between": {exchange, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
		}, registry.CodeAnswer, 1, "403"},
		"a sign-in page in between":  {exchange, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>hotel</html>") }, registry.CodeAnswer, 1, "without a refresh token"},
		"Entra's addresses are gone": {"login.microsoftonline.com/" + azureTenant + "/v2.0/.well-known/openid-configuration", status(http.StatusServiceUnavailable), registry.CodeUnavailable, 3, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newAzureCloud(t)
			c.answers[tt.at] = tt.answer
			options := asApplication(c, given(c.jobToken(t, nil)), nil)
			options.MaxRetries = 2
			_, _, err := newClient(t, options).Head(t.Context(), azureHost+"/app", "golden")
			known := (*verdict.Error)(nil)
			if verdict.ExitCodeOf(err) != verdict.ExitInconclusive || !errors.As(err, &known) || known.Code != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("exit code %d: %v", verdict.ExitCodeOf(err), err)
			}
			if n := c.count(tt.at); tt.asked > 0 && n != tt.asked {
				t.Errorf("asked %d times: %v", n, err)
			}
			if n := c.count("evil.example.com/"); n > 0 {
				t.Error("secrets were taken elsewhere")
			}
		})
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for range 40 {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			return
		}
	}
}
