package acr_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/registry/acr"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// azure is Entra and one registry, which check what they are sent.
type azure struct {
	http  *httptest.Server
	fails int // so many requests are answered with 503 first
	entra func(form url.Values) (int, map[string]any)
	asked []string
}

func newAzure(t *testing.T) *azure {
	t.Helper()
	a := &azure{}
	a.http = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		a.asked = append(a.asked, r.Host+r.URL.Path)
		status, answer := a.answer(r)
		if a.fails > 0 {
			a.fails--
			status, answer = http.StatusServiceUnavailable, nil
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(a.http.Close)
	return a
}

func (a *azure) answer(r *http.Request) (int, map[string]any) {
	f := r.PostForm
	switch {
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, nil
	case r.Host == "login.microsoftonline.com" && r.URL.Path == "/tenant-1/oauth2/v2.0/token":
		if a.entra != nil {
			return a.entra(f)
		}
		if f.Get("grant_type") != "client_credentials" || f.Get("client_id") != "app-1" || f.Get("client_assertion") != "the-jobs-own-token" ||
			f.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || f.Get("scope") != "https://containerregistry.azure.net/.default" {
			return http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "AADSTS900144: " + f.Encode()}
		}
		return http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "access_token": "entras-token-for-registries"}
	case r.Host == "images.azurecr.io" && r.URL.Path == "/oauth2/exchange":
		if f.Get("grant_type") != "access_token" || f.Get("service") != "images.azurecr.io" || f.Get("tenant") != "tenant-1" || f.Get("access_token") != "entras-token-for-registries" {
			return http.StatusBadRequest, map[string]any{"errors": []any{map[string]any{"code": "UNSUPPORTED", "message": f.Encode()}}}
		}
		return http.StatusOK, map[string]any{"refresh_token": "what-docker-login-stores"}
	case strings.HasSuffix(r.Host, ".azurecr.io"):
		return http.StatusUnauthorized, map[string]any{"errors": []any{map[string]any{"code": "UNAUTHORIZED", "message": "authentication required"}}}
	}
	return http.StatusNotFound, nil
}

// to sends what is meant for any host to the server, which sees the host that was meant.
type to struct{ server *httptest.Server }

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, errors.New("a secret by " + r.URL.Scheme)
	}
	meant := r.Clone(r.Context())
	meant.Host, meant.URL.Host = r.URL.Host, strings.TrimPrefix(t.server.URL, "https://")
	return t.server.Client().Transport.RoundTrip(meant)
}

func (a *azure) login() *acr.Login {
	return &acr.Login{
		Tenant: "tenant-1", Application: "app-1", Transport: to{a.http}, Wait: time.Millisecond,
		Assertion: func(context.Context) (string, error) { return "the-jobs-own-token", nil },
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	a := newAzure(t)
	a.fails = 2
	login := a.login()
	for range 2 {
		token, from, err := login.Token(t.Context(), "images.azurecr.io")
		if err != nil || token != "what-docker-login-stores" || !strings.Contains(from, "app-1") {
			t.Fatalf("%q from %q, %v", token, from, err)
		}
	}
	if len(a.asked) != 4 { // two in vain, Entra, the registry; then it is known
		t.Errorf("asked %q", a.asked)
	}
	for _, host := range []string{"ghcr.io", "azurecr.io", "images.azurecr.io.example.com", "images.azurecr.io:8443", "x.data.azurecr.io", "user@images.azurecr.io", "127.0.0.1:5000"} {
		if token, _, err := login.Token(t.Context(), host); token != "" || err != nil {
			t.Errorf("%s: %q, %v", host, token, err)
		}
	}
	if len(a.asked) != 4 {
		t.Errorf("for hosts of others: %q", a.asked[4:])
	}
}

func TestTokenFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		host   string
		change func(*azure, *acr.Login)
		want   string
		code   int
	}{
		"Entra knows no such job": {
			change: func(a *azure, _ *acr.Login) {
				a.entra = func(f url.Values) (int, map[string]any) {
					return http.StatusUnauthorized, map[string]any{"error_description": "AADSTS700213: No matching federated identity record found for " + f.Get("client_assertion") + "\r\nTrace ID: 1"}
				}
			}, want: "AADSTS700213", code: verdict.ExitUsage,
		},
		"no role": {host: "others.azurecr.io", want: "AcrPush", code: verdict.ExitUsage},
		"Entra is down": {
			change: func(a *azure, _ *acr.Login) { a.fails = 9 }, want: "login.microsoftonline.com", code: verdict.ExitInconclusive,
		},
		"an odd answer": {
			change: func(a *azure, _ *acr.Login) {
				a.entra = func(url.Values) (int, map[string]any) { return http.StatusOK, map[string]any{"hello": 1} }
			}, want: "has no access_token", code: verdict.ExitInconclusive,
		},
		"Entra by http": {
			change: func(_ *azure, l *acr.Login) { l.Authority = "http://login.example.com" }, want: "https only", code: verdict.ExitUsage,
		},
		"the job has no token": {
			change: func(_ *azure, l *acr.Login) {
				l.Assertion = func(context.Context) (string, error) { return "", verdict.ErrUsage }
			}, want: "logging in to images.azurecr.io", code: verdict.ExitUsage,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAzure(t)
			login := a.login()
			if c.change != nil {
				c.change(a, login)
			}
			host := c.host
			if host == "" {
				host = "images.azurecr.io"
			}
			token, _, err := login.Token(t.Context(), host)
			if token != "" || err == nil || !strings.Contains(err.Error(), c.want) || verdict.ExitCodeOf(err) != c.code {
				t.Fatalf("%q, %v (exit code %d), want %q and %d", token, err, verdict.ExitCodeOf(err), c.want, c.code)
			}
			for _, hidden := range []string{"the-jobs-own-token", "entras-token"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("%s stands in %v", hidden, err)
				}
			}
		})
	}
}
