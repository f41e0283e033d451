package ci

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestAzureToken(t *testing.T) {
	t.Parallel()
	token := lasting(t, entraAudience)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	github, _ := runner(t, http.MethodGet, "value", map[string]string{"audience": entraAudience}, token, 0)
	azure, _ := runner(t, http.MethodPost, "oidcToken", map[string]string{"serviceConnectionId": "connection-1"}, token, 0)
	wrong := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(wrong, []byte(lasting(t, "sigstore")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		system System
		env    map[string]string
		none   bool
		wants  string // in the error
	}{
		"a cluster's file": {None, map[string]string{"AZURE_FEDERATED_TOKEN_FILE": file}, false, ""},
		"GitHub, beside a token for somebody else": {GitHub, map[string]string{
			"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer-of-the-job", "SIGSTORE_ID_TOKEN": "for-sigstore",
		}, false, ""},
		"Azure Pipelines": {Azure, map[string]string{
			"SYSTEM_OIDCREQUESTURI": azure.URL, "SYSTEM_ACCESSTOKEN": "bearer-of-the-job", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection-1",
		}, false, ""},
		"GitHub without the permission":              {GitHub, nil, true, ""},
		"Azure Pipelines without a connection":       {Azure, map[string]string{"SYSTEM_ACCESSTOKEN": "bearer-of-the-job"}, true, ""},
		"a system whose way is not known":            {Jenkins, map[string]string{"SIGSTORE_ID_TOKEN": "for-sigstore"}, true, ""},
		"a file that is gone":                        {None, map[string]string{"AZURE_FEDERATED_TOKEN_FILE": file + "-gone"}, false, "AZURE_FEDERATED_TOKEN_FILE"},
		"a file with a token that is for others":     {None, map[string]string{"AZURE_FEDERATED_TOKEN_FILE": wrong}, false, "it is for sigstore"},
		"GitHub, which refuses the job a token here": {GitHub, map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another"}, false, "it refuses"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ask := AzureToken(func(name string) string { return c.env[name] }, c.system)
			if (ask == nil) != c.none {
				t.Fatalf("there is none: %t, want %t", ask == nil, c.none)
			}
			if c.none {
				return
			}
			got, err := ask(t.Context())
			switch {
			case c.wants == "" && (err != nil || got != token):
				t.Errorf("%q, %v", got, err)
			case c.wants != "" && (err == nil || !strings.Contains(err.Error(), c.wants) || verdict.ExitCodeOf(err) != verdict.ExitUsage):
				t.Errorf("%q, %v; want %q", got, err, c.wants)
			}
		})
	}
}
