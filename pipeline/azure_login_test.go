package pipeline

import (
	"maps"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
)

// TestAzureLogin: a job logs in to Azure's registries as itself where it is told as whom, may have a token, and is trusted.
func TestAzureLogin(t *testing.T) {
	t.Parallel()
	all := map[string]string{
		"AZURE_TENANT_ID": "tenant-1", "AZURE_CLIENT_ID": "app-1", "AZURE_AUTHORITY_HOST": "https://login.example.com/",
		"ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example.com",
	}
	for name, c := range map[string]struct {
		facts  ci.Facts
		change map[string]string
		want   bool
	}{
		"a job of GitHub":                {ci.Facts{System: ci.GitHub}, nil, true},
		"a verb that does not speak":     {ci.Facts{}, map[string]string{"GITHUB_ACTIONS": "true"}, true},
		"no application":                 {ci.Facts{System: ci.GitHub}, map[string]string{"AZURE_CLIENT_ID": ""}, false},
		"no tenant":                      {ci.Facts{System: ci.GitHub}, map[string]string{"AZURE_TENANT_ID": ""}, false},
		"no token":                       {ci.Facts{System: ci.GitHub}, map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, false},
		"a machine's token, and a fork":  {ci.Facts{System: ci.GitHub, Origin: ci.Fork}, map[string]string{"AZURE_FEDERATED_TOKEN_FILE": "/token"}, false},
		"a machine's token, no CI of it": {ci.Facts{}, map[string]string{"AZURE_FEDERATED_TOKEN_FILE": "/token"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(all)
			maps.Copy(env, c.change)
			login := azureLogin(c.facts, func(name string) string { return env[name] })
			if (login != nil) != c.want {
				t.Fatalf("it logs in: %t, want %t", login != nil, c.want)
			}
			if login != nil && (login.Tenant != "tenant-1" || login.Application != "app-1" || login.Authority != "https://login.example.com/") {
				t.Errorf("as %s of %s by %s", login.Application, login.Tenant, login.Authority)
			}
		})
	}
}
