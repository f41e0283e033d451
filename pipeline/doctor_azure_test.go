package pipeline

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// answering is a network in which each address has one answer.
type answering map[string]string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	body, known := a[r.URL.Host+r.URL.Path]
	status := http.StatusOK
	if !known {
		status = http.StatusServiceUnavailable
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// TestDoctorNamesTheApplication: who signs in to Azure's registry, until when, or what the job lacks for it.
func TestDoctorNamesTheApplication(t *testing.T) {
	t.Parallel()
	now := time.Now().Unix()
	refresh := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"iat": %d, "exp": %d}`, now, now+600)) + ".c2ln"
	const entra = "login.microsoftonline.com/ten-ant/"
	cloud := answering{
		"login.microsoftonline.com/common/discovery/instance": `{"tenant_discovery_endpoint": "https://` + entra + `v2.0/.well-known/openid-configuration", "metadata": []}`,
		entra + "v2.0/.well-known/openid-configuration": `{"issuer": "https://` + entra + `v2.0", "token_endpoint": "https://` + entra + `oauth2/v2.0/token", "authorization_endpoint": "https://` +
			entra + `oauth2/v2.0/authorize"}`,
		entra + "oauth2/v2.0/token":          `{"token_type": "Bearer", "expires_in": 3599, "access_token": "access-token-of-entra"}`,
		"contoso.azurecr.io/oauth2/exchange": `{"refresh_token": "` + refresh + `"}`,
	}
	for name, tt := range map[string]struct {
		network answering
		token   func(context.Context) (string, error)
		health  report.Health
		says    string
	}{
		"in": {cloud, func(context.Context) (string, error) { return "the-token-of-the-job", nil }, report.Well, "application app-id of tenant ten-ant, by the CI job's identity, until " +
			time.Unix(now+600, 0).UTC().Format(time.RFC3339) + ", and renewed before"},
		"lacking": {nil, func(context.Context) (string, error) {
			return "", fmt.Errorf("%w: give the job the permission id-token: write", verdict.ErrUsage)
		}, report.Care, "none for contoso.azurecr.io: AZURE_CLIENT_ID names application app-id, but the job cannot show that it is that: give the job the permission id-token: write"},
		"away": {nil, func(context.Context) (string, error) { return "the-token-of-the-job", nil }, report.Unknown, "Entra ID answered 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"AZURE_CLIENT_ID": "app-id", "AZURE_TENANT_ID": "ten-ant"}
			client, err := registry.New(registry.Options{
				DockerConfig: t.TempDir(), Transport: tt.network, MaxRetries: -1, Azure: &registry.Azure{Env: func(name string) string { return env[name] }, Token: tt.token},
			})
			if err != nil {
				t.Fatal(err)
			}
			d := &doctor{surroundings: &surroundings{registry: client, repository: "contoso.azurecr.io/app"}}
			d.credential(t.Context())
			if got := d.found.Lines; len(got) != 1 || got[0].Health != tt.health || !strings.Contains(got[0].Detail, tt.says) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestForksAreNoApplication: strangers choose which images such a run pulls.
func TestForksAreNoApplication(t *testing.T) {
	t.Parallel()
	for origin, want := range map[ci.Origin]bool{ci.Fork: false, ci.Unprivileged: false, ci.Uncertain: false, "": true} {
		if got := azureIdentity(ci.Facts{System: ci.GitHub, PullRequest: "7", Origin: origin}); (got != nil) != want {
			t.Errorf("origin %q: %v", origin, got)
		}
	}
}
