package ci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// jwt is a token as an issuer writes it, with a signature that nobody checks here. Each is another one.
func jwt(t *testing.T, claims map[string]any) string {
	t.Helper()
	claims["jti"] = fmt.Sprint(number.Add(1), t.Name())
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode(body) + "." + encode([]byte("signature"))
}

var number atomic.Int64

func lasting(t *testing.T, audience any) string {
	t.Helper()
	return jwt(t, map[string]any{"iss": "https://issuer.example.com", "sub": "job", "aud": audience, "exp": time.Now().Add(time.Hour).Unix()})
}

// runner answers as a system's server does, and checks what it is asked.
func runner(t *testing.T, method, field string, query map[string]string, token string, failures int) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= int64(failures) {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		if r.Method != method || r.Header.Get("Authorization") != "Bearer bearer-of-the-job" {
			http.Error(w, "no\n::error::evil", http.StatusForbidden)
			return
		}
		for name, want := range query {
			if r.URL.Query().Get(name) != want {
				http.Error(w, "not "+name, http.StatusBadRequest)
				return
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{field: token, "count": 3})
	}))
	t.Cleanup(server.Close)
	return server, &asked
}

func TestIdentityToken(t *testing.T) {
	t.Parallel()
	good := lasting(t, "sigstore")
	github, _ := runner(t, http.MethodGet, "value", map[string]string{"audience": "sigstore", "x": "1"}, good, 2)
	entra := lasting(t, entraAudience)
	azure, _ := runner(t, http.MethodPost, "oidcToken", map[string]string{"api-version": "7.1", "serviceConnectionId": "5e1f"}, entra, 0)
	broken, asked := runner(t, http.MethodGet, "value", nil, good, 100)
	odd, _ := runner(t, http.MethodGet, "other", nil, good, 0)
	for name, tt := range map[string]struct {
		system   System
		audience string
		env      map[string]string
		run      []string // the program and its arguments, and what it says
		want     string   // the token
		exit     int
		says     string
	}{
		"GitHub": {
			GitHub, "", map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL + "/token?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-of-the-job"}, nil, good, 0, "",
		},
		"GitHub without the permission": {GitHub, "", nil, nil, "", verdict.ExitUsage, "id-token: write"},
		"GitHub that refuses": {
			GitHub, "", map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL + "/token?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another-bearer"}, nil, "", verdict.ExitUsage, "status 403",
		},
		"GitHub away": {
			GitHub, "", map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": broken.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-of-the-job"}, nil, "", verdict.ExitInconclusive, "status 503",
		},
		"GitHub with an odd answer": {
			GitHub, "", map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": odd.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-of-the-job"}, nil, "", verdict.ExitInconclusive, "no value",
		},
		"GitHub in the open": {
			GitHub, "", map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "http://runner.example.com/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-of-the-job"}, nil, "", verdict.ExitUsage, "not https",
		},
		"GitLab":               {GitLab, "", map[string]string{"SIGSTORE_ID_TOKEN": good}, nil, good, 0, ""},
		"GitLab without it":    {GitLab, "", nil, nil, "", verdict.ExitUsage, "id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}"},
		"GitLab for elsewhere": {GitLab, "", map[string]string{"SIGSTORE_ID_TOKEN": lasting(t, "vault")}, nil, "", verdict.ExitUsage, "it is for vault, not for sigstore"},
		"several audiences":    {GitLab, "", map[string]string{"SIGSTORE_ID_TOKEN": lasting(t, []string{"a", "sigstore"})}, nil, "any", 0, ""},
		"expired":              {GitLab, "", map[string]string{"SIGSTORE_ID_TOKEN": jwt(t, map[string]any{"aud": "sigstore", "exp": 1_700_000_000})}, nil, "", verdict.ExitUsage, "it expired at 2023-11-14T22:13:20Z"},
		"no token":             {Jenkins, "", map[string]string{"SIGSTORE_ID_TOKEN": "hunter2hunter2"}, nil, "", verdict.ExitUsage, "not a JSON Web Token"},
		"Jenkins":              {Jenkins, "", nil, nil, "", verdict.ExitUsage, "sign.keyless.token"},
		"a terminal":           {None, "", nil, nil, "", verdict.ExitUsage, "a terminal"},
		"Buildkite":            {Buildkite, "", nil, []string{"buildkite-agent oidc request-token --audience sigstore", good + "\n"}, good, 0, ""},
		"Buildkite, no agent":  {Buildkite, "", nil, []string{"", ""}, "", verdict.ExitUsage, "buildkite-agent is not here"},
		"CircleCI":             {CircleCI, "", map[string]string{"CIRCLE_OIDC_TOKEN_V2": lasting(t, "the-organisation")}, []string{`circleci run oidc get --claims {"aud":"sigstore"}`, good}, good, 0, ""},
		"CircleCI, ready":      {CircleCI, "the-organisation", map[string]string{"CIRCLE_OIDC_TOKEN_V2": lasting(t, "the-organisation")}, nil, "any", 0, ""},
		"Azure Pipelines": {
			Azure, entraAudience, map[string]string{"SYSTEM_OIDCREQUESTURI": azure.URL, "SYSTEM_ACCESSTOKEN": "bearer-of-the-job", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "5e1f"}, nil, entra, 0, "",
		},
		"Azure Pipelines for Sigstore": {
			Azure, "", map[string]string{"SYSTEM_OIDCREQUESTURI": azure.URL, "SYSTEM_ACCESSTOKEN": "bearer-of-the-job", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "5e1f"}, nil, "", verdict.ExitUsage, "no issuer of Azure Pipelines",
		},
		"Azure Pipelines, no credential": {Azure, entraAudience, map[string]string{"SYSTEM_OIDCREQUESTURI": azure.URL}, nil, "", verdict.ExitUsage, "SYSTEM_ACCESSTOKEN"},
		"Azure Pipelines, no connection": {
			Azure, entraAudience, map[string]string{"SYSTEM_OIDCREQUESTURI": azure.URL, "SYSTEM_ACCESSTOKEN": "bearer-of-the-job"}, nil, "", verdict.ExitUsage, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := asking{env: env(tt.env), wait: time.Millisecond, run: func(_ context.Context, program string, args ...string) ([]byte, error) {
				if len(tt.run) == 0 || tt.run[0] == "" {
					return nil, fmt.Errorf("%s: %w", program, exec.ErrNotFound)
				}
				if got := strings.Join(append([]string{program}, args...), " "); got != tt.run[0] {
					t.Errorf("called %q", got)
				}
				return []byte(tt.run[1]), nil
			}}
			wanted := tt.audience
			if wanted == "" {
				wanted = "sigstore"
			}
			token, err := a.token(t.Context(), tt.system, wanted)
			if tt.exit == 0 {
				if err != nil || tt.want != "any" && token != tt.want {
					t.Fatalf("%q, %v", token, err)
				}
				if shown := secret.Redact("a " + token + " b"); shown != "a *** b" {
					t.Errorf("the token is not masked: %s", shown)
				}
				return
			}
			if verdict.ExitCodeOf(err) != tt.exit || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Fatalf("exit %d, want %d with %q: %v", verdict.ExitCodeOf(err), tt.exit, tt.says, err)
			}
			for _, value := range append(slices.Collect(values(tt.env)), "\n") {
				if len(value) < 40 && value != "\n" && !strings.Contains(value, "hunter") {
					continue
				}
				if strings.Contains(err.Error(), value) {
					t.Errorf("the error shows what it must not: %v", err)
				}
			}
		})
	}
	t.Cleanup(func() {
		if asked.Load() != tokenTries {
			t.Errorf("a server that fails is asked %d times", asked.Load())
		}
	})
}

// TestEntraToken: the job's token for Entra ID, whatever it has for Sigstore.
func TestEntraToken(t *testing.T) {
	t.Parallel()
	github, _ := runner(t, http.MethodGet, "value", map[string]string{"audience": "api://AzureADTokenExchange"}, lasting(t, "api://AzureADTokenExchange"), 0)
	ready := lasting(t, "api://AzureADTokenExchange")
	job := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-of-the-job", "SIGSTORE_ID_TOKEN": lasting(t, "sigstore")}
	if token, err := EntraToken(t.Context(), env(job), GitHub); err != nil || token == "" {
		t.Errorf("%v", err)
	}
	if token, err := EntraToken(t.Context(), env(map[string]string{"AZURE_ID_TOKEN": ready}), GitLab); err != nil || token != ready {
		t.Errorf("%v", err)
	}
	for system, says := range map[System]string{
		GitHub:  "id-token: write",
		GitLab:  "id_tokens: {AZURE_ID_TOKEN: {aud: api://AzureADTokenExchange}}",
		Azure:   "SYSTEM_OIDCREQUESTURI",
		Jenkins: "Put a token into AZURE_ID_TOKEN, or name its file in AZURE_FEDERATED_TOKEN_FILE",
	} {
		_, err := EntraToken(t.Context(), env(map[string]string{"SIGSTORE_ID_TOKEN": lasting(t, "sigstore")}), system)
		if verdict.ExitCodeOf(err) != verdict.ExitUsage || !strings.Contains(fmt.Sprint(err), says) || strings.Contains(fmt.Sprint(err), "igstore") {
			t.Errorf("%s: %v", system, err)
		}
	}
	if _, err := EntraToken(t.Context(), env(map[string]string{"AZURE_ID_TOKEN": lasting(t, "sigstore")}), GitLab); !strings.Contains(fmt.Sprint(err), "the identity token of AZURE_ID_TOKEN cannot be used: it is for sigstore") {
		t.Errorf("%v", err)
	}
}

func values(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// TestOutput: a program's answer is bounded in size and time, and what it says while it fails is not lost.
func TestOutput(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-ins are shell scripts")
	}
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if said, err := output(t.Context(), script(`echo "$1 $2"; echo note >&2`), "a", "b"); err != nil || string(said) != "a b\n" {
		t.Errorf("%q, %v", said, err)
	}
	if said, err := output(t.Context(), script("head -c 1000000 /dev/zero")); err != nil || len(said) != tokenMost {
		t.Errorf("%d bytes, %v", len(said), err)
	}
	if _, err := output(t.Context(), script("echo a-token-after-all; echo not for you >&2; exit 3")); err == nil || !strings.Contains(err.Error(), "not for you") || strings.Contains(err.Error(), "a-token") {
		t.Errorf("%v", err)
	}
	if _, err := output(t.Context(), "no-such-program-anywhere"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := output(ctx, script("sleep 30")); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestTokenSays(t *testing.T) {
	t.Parallel()
	if subject, issuer, expires := TokenSays(lasting(t, "sigstore")); subject != "job" || issuer != "https://issuer.example.com" || time.Until(expires) <= 0 {
		t.Errorf("%q %q %s", subject, issuer, expires)
	}
	if subject, issuer, _ := TokenSays("no token"); subject+issuer != "" {
		t.Errorf("%q %q", subject, issuer)
	}
}
