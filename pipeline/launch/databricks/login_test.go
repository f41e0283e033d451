package databricks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/config"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// loginEnv is what decides how the SDK logs in.
var loginEnv = []string{
	"DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET", "DATABRICKS_AUTH_TYPE", "DATABRICKS_CONFIG_PROFILE",
	"DATABRICKS_OIDC_TOKEN", "DATABRICKS_OIDC_TOKEN_ENV", "DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_TOKEN_AUDIENCE",
	"ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_TENANT_ID", "ARM_USE_MSI", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
	"SYSTEM_ACCESSTOKEN", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_PLANID", "SYSTEM_JOBID", "SYSTEM_TEAMPROJECTID", "SYSTEM_HOSTTYPE",
}

// login is one way to log in, out of the environment that its users have.
type login struct {
	name  string
	azure bool // the workspace is one of Azure, whose tokens Entra gives out
	env   func(t *testing.T, i *issuers) map[string]string
	asked []string // issuers, in order
}

// program is a folder with a program in it, before the rest of PATH.
func program(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir + string(filepath.ListSeparator) + os.Getenv("PATH")
}

// azureCLI is az of somebody who is logged in: it gives out what the other issuers would.
const azureCLI = `#!/bin/sh
case "$*" in
"account show --output json") echo '{"user": {"name": "app-1", "type": "servicePrincipal"}}' ;;
"account get-access-token --resource ` + databricksApp + ` --output json --tenant ` + tenant + `") token=` + plantedEntra + ` ;;
"account get-access-token --resource ` + management + ` --output json --tenant ` + tenant + `") token=` + plantedManage + ` ;;
*) echo "az is asked for $*" >&2; exit 2 ;;
esac
[ -z "$token" ] || echo '{"accessToken": "'$token'", "tokenType": "Bearer", "expiresOn": "2099-01-01 00:00:00.000000"}'
`

func github(_ *testing.T, i *issuers) map[string]string {
	return map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": i.http.URL + "/actions/token?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": plantedActions, "DATABRICKS_CLIENT_ID": "sp-1"}
}

var logInWays = []login{
	{"pat", false, func(_ *testing.T, i *issuers) map[string]string {
		i.space.token = testToken
		return map[string]string{"DATABRICKS_TOKEN": testToken}
	}, nil},
	{"github-oidc", false, github, []string{"github", "exchange"}},
	{"azure-devops-oidc", false, func(_ *testing.T, i *issuers) map[string]string {
		i.policy["aud"] = "api://AzureADTokenExchange"
		return map[string]string{
			"SYSTEM_ACCESSTOKEN": plantedDevOps, "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": i.http.URL + "/acme", "SYSTEM_PLANID": "plan-1", "SYSTEM_JOBID": "job-1",
			"SYSTEM_TEAMPROJECTID": "project-1", "SYSTEM_HOSTTYPE": "build", "DATABRICKS_CLIENT_ID": "sp-1",
		}
	}, []string{"devops", "exchange"}},
	{"env-oidc", false, func(_ *testing.T, i *issuers) map[string]string {
		return map[string]string{"DATABRICKS_OIDC_TOKEN": i.jwt(i.policy["aud"], time.Now().Add(time.Minute)), "DATABRICKS_CLIENT_ID": "sp-1"}
	}, []string{"exchange"}},
	{"file-oidc", false, func(t *testing.T, i *issuers) map[string]string {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(i.jwt(i.policy["aud"], time.Now().Add(time.Minute))), 0o600); err != nil {
			t.Fatal(err)
		}
		// Beside a client's id, the SDK wants to be told which way is meant.
		return map[string]string{"DATABRICKS_OIDC_TOKEN_FILEPATH": file, "DATABRICKS_CLIENT_ID": "sp-1", "DATABRICKS_AUTH_TYPE": "file-oidc"}
	}, []string{"exchange"}},
	{"github-oidc-azure", true, func(t *testing.T, i *issuers) map[string]string {
		env := github(t, i)
		env["ARM_CLIENT_ID"], env["ARM_TENANT_ID"], env["DATABRICKS_CLIENT_ID"], env["DATABRICKS_AUTH_TYPE"] = "app-1", tenant, "", "github-oidc-azure"
		return env
	}, []string{"github", "entra"}},
	{"azure-msi", true, func(*testing.T, *issuers) map[string]string {
		return map[string]string{"ARM_USE_MSI": "true", "ARM_TENANT_ID": tenant}
	}, []string{"metadata", "metadata"}},
	{"azure-client-secret", true, func(*testing.T, *issuers) map[string]string {
		return map[string]string{"ARM_TENANT_ID": tenant, "ARM_CLIENT_ID": "app-1", "ARM_CLIENT_SECRET": plantedAzure}
	}, []string{"entra", "entra", "entra", "entra"}}, // the library tries another way to show the secret first
	{"azure-cli", true, func(t *testing.T, _ *issuers) map[string]string {
		return map[string]string{"ARM_TENANT_ID": tenant, "PATH": program(t, "az", azureCLI)}
	}, nil},
}

// prepare gives the test the environment of a way to log in, and nothing else.
func (l login) prepare(t *testing.T) (*issuers, Options) {
	t.Helper()
	for _, name := range loginEnv {
		t.Setenv(name, "")
	}
	i := newIssuers(t)
	o := i.space.options()
	o.Transport, o.Host, o.Retries = i, "", 0
	t.Setenv("DATABRICKS_HOST", i.space.http.URL)
	if l.azure {
		i.space.token, i.managed = plantedEntra, l.name != "github-oidc-azure"
		t.Setenv("DATABRICKS_HOST", "https://"+azureHost)
	}
	for name, value := range l.env(t, i) {
		t.Setenv(name, value)
	}
	return i, o
}

// runShown is run, with everything that is shown meanwhile.
func runShown(t *testing.T, shown *recorder, o Options, spec launch.Spec) *launch.Result {
	t.Helper()
	target, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	result, err := target.Run(progress.With(t.Context(), shown), spec)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// noSecret looks for what was shown to issuers, and what they gave out, wherever people look.
func noSecret(t *testing.T, i *issuers, result *launch.Result, shown *recorder) {
	t.Helper()
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	seen := string(text) + shown.all.String() + fmt.Sprintf("%v %+v", result.Err(), result.Findings())
	for _, secret := range append([]string{plantedActions, plantedAzure, plantedEntra, plantedManage, plantedDevOps, plantedBearer, testToken}, i.issued...) {
		if strings.Contains(seen, secret[:min(len(secret), 60)]) { // nor the beginning of a long one, cut short
			t.Errorf("%q is to be seen:\n%s", secret, seen)
		}
	}
}

// TestLogInFromEnvironment launches with what each way to log in has in its usual environment, down to the probes: everything
// that the issuers and the workspace are sent is checked by them.
func TestLogInFromEnvironment(t *testing.T) {
	for _, way := range logInWays {
		t.Run(way.name, func(t *testing.T) {
			i, o := way.prepare(t)
			var log recorder
			result := runShown(t, &log, o, testSpec(python("1", "100")))
			if result.Verdict != verdict.Pass {
				t.Fatalf("%s: %s", result.Verdict, result.Reason)
			}
			if !slices.Equal(i.asked, way.asked) {
				t.Errorf("asked %v, want %v", i.asked, way.asked)
			}
			noSecret(t, i, result, &log)
		})
	}
}

// TestLogInFromProfile takes the same from .databrickscfg: by the configuration's own field, and by Databricks' variable.
func TestLogInFromProfile(t *testing.T) {
	for _, test := range []struct {
		name    string
		byField bool
	}{{"launch.databricks.profile", true}, {"DATABRICKS_CONFIG_PROFILE", false}} {
		t.Run(test.name, func(t *testing.T) {
			way := login{azure: true, env: func(*testing.T, *issuers) map[string]string { return nil }}
			_, o := way.prepare(t)
			t.Setenv("DATABRICKS_HOST", "")
			t.Setenv("DATABRICKS_CONFIG_FILE", filepath.Join(t.TempDir(), "databrickscfg"))
			text := "[DEFAULT]\nhost = https://elsewhere.example.com\ntoken = dapi-of-elsewhere\n[ci]\nhost = https://" + azureHost +
				"\nazure_tenant_id = " + tenant + "\nazure_client_id = app-1\nazure_client_secret = " + plantedAzure + "\n"
			if err := os.WriteFile(os.Getenv("DATABRICKS_CONFIG_FILE"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if test.byField {
				o.Profile = "ci"
			} else {
				t.Setenv("DATABRICKS_CONFIG_PROFILE", "ci")
			}
			if result := runShown(t, &recorder{}, o, testSpec(python("1", "100"))); result.Verdict != verdict.Pass {
				t.Fatalf("%s: %s", result.Verdict, result.Reason)
			}
		})
	}
}

// TestProfileAgainstEnvironment: a profile that the configuration names, and an environment that means another workspace, or a
// file that is not there, end before anything is asked: nobody finds a cluster where it was not to be.
func TestProfileAgainstEnvironment(t *testing.T) {
	s := newServer(t)
	t.Setenv("DATABRICKS_HOST", s.http.URL)
	t.Setenv("DATABRICKS_TOKEN", "dapi-of-the-environment")
	file := filepath.Join(t.TempDir(), "databrickscfg")
	t.Setenv("DATABRICKS_CONFIG_FILE", file)
	o := s.options()
	o.Host, o.Profile = "", "ci"
	result := run(t, o, testSpec())
	if result.Code != launch.CodeConfiguration || !strings.Contains(result.Reason, "there is no file "+file) {
		t.Errorf("without the file: %s (%s): %s", result.Verdict, result.Code, result.Reason)
	}
	for host, refused := range map[string]bool{
		"https://elsewhere.example.com": true, s.http.URL: false, strings.TrimPrefix(s.http.URL, "http://") + "/": false, "": false,
	} {
		if err := os.WriteFile(file, []byte("[ci]\nhost = "+host+"\ntoken = dapi-of-the-profile\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := connectable(t, o)
		if refused != (err != nil && strings.Contains(err.Error(), "two workspaces are named: the profile ci is of "+host)) || !refused && err != nil {
			t.Errorf("%q: error is %v", host, err)
		}
		if err != nil && strings.Contains(err.Error(), "dapi-") {
			t.Errorf("a token is told: %v", err)
		}
	}
}

// connectable is the error of connecting to the workspace that is meant.
func connectable(t *testing.T, o Options) error {
	t.Helper()
	_, err := connect(t.Context(), o)
	return err
}

// TestLogInFails holds what people read when an issuer does not give out a token: which way was tried, whose answer it was,
// what to do; a refusal is a matter of settings, an issuer that is out of order is not, and the image never is.
func TestLogInFails(t *testing.T) {
	way := func(name string) login {
		return logInWays[slices.IndexFunc(logInWays, func(l login) bool { return l.name == name })]
	}
	for _, test := range []struct {
		way    string
		who    string
		code   int
		change func(*testing.T, *issuers)
		usage  bool
		reason string
		remedy string
		chosen bool // by DATABRICKS_AUTH_TYPE
	}{
		{way: "github-oidc", who: "github", code: 403, usage: true, reason: "with github-oidc: 127.0.0.1", remedy: "permissions: {id-token: write}"},
		{way: "github-oidc", who: "github", code: 403, chosen: true, usage: true, reason: "answers with status 403 (invalid_client AADSTS", remedy: "permissions: {id-token: write}"},
		{way: "github-oidc", who: "github", code: 500, reason: "answers with status 500", remedy: "run the same command again"},
		{way: "github-oidc", who: "exchange", code: 500, reason: "with github-oidc: 127.0.0.1", remedy: "run the same command again"},
		{way: "github-oidc", change: func(_ *testing.T, i *issuers) { i.subject = "repo:acme/other:ref:refs/heads/main" }, usage: true, reason: "matches no federation policy: sub is", remedy: "federation policy"},
		{way: "github-oidc", change: func(t *testing.T, _ *issuers) { t.Setenv("DATABRICKS_TOKEN_AUDIENCE", "https://else.example.com") }, usage: true, reason: `aud is "https://else.example.com"`, remedy: "audience"},
		{way: "env-oidc", change: func(t *testing.T, i *issuers) {
			t.Setenv("DATABRICKS_OIDC_TOKEN", i.jwt(i.policy["aud"], time.Now().Add(-time.Minute)))
		}, usage: true, reason: "with env-oidc: ", remedy: "has not expired"},
		{way: "file-oidc", change: func(t *testing.T, _ *issuers) { t.Setenv("DATABRICKS_OIDC_TOKEN_FILEPATH", "/nosuch/token") }, usage: true, reason: `with file-oidc: file "/nosuch/token" does not exist`, remedy: "DATABRICKS_OIDC_TOKEN_FILEPATH"},
		{way: "azure-devops-oidc", who: "devops", code: 401, usage: true, reason: "with azure-devops-oidc: ", remedy: "System.AccessToken"},
		{way: "azure-client-secret", who: "entra", code: 401, usage: true, reason: "with azure-client-secret: login.microsoftonline.com answers with status 401 (AADSTS7000215", remedy: "ARM_CLIENT_SECRET"},
		{way: "azure-client-secret", who: "entra", code: 500, reason: "with azure-client-secret: login.microsoftonline.com answers with status 500", remedy: "run the same command again"},
		{way: "azure-client-secret", change: func(t *testing.T, _ *issuers) { t.Setenv("ARM_CLIENT_ID", "") }, usage: true, reason: "with azure-client-secret: its settings are not complete", remedy: "ARM_CLIENT_ID"},
		{way: "azure-msi", who: "metadata", code: 400, usage: true, reason: "with azure-msi: ", remedy: "managed identity"},
		{way: "azure-cli", change: func(t *testing.T, _ *issuers) {
			t.Setenv("PATH", program(t, "az", "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n"))
		}, usage: true, reason: "with azure-cli: ", remedy: "az login"},
		{way: "pat", change: func(t *testing.T, _ *issuers) { t.Setenv("DATABRICKS_TOKEN", "") }, usage: true, reason: "no way to log in is set up", remedy: "DATABRICKS_TOKEN"},
		{way: "pat", change: func(t *testing.T, _ *issuers) { t.Setenv("DATABRICKS_AUTH_TYPE", "carrier-pigeon") }, usage: true, reason: `auth type "carrier-pigeon" not found`, remedy: "DATABRICKS_TOKEN"},
		{way: "file-oidc", change: func(t *testing.T, _ *issuers) { t.Setenv("DATABRICKS_AUTH_TYPE", "") }, usage: true, reason: "more than one authorization method configured: file-oidc and oauth", remedy: "DATABRICKS_AUTH_TYPE"},
		// Two ways are set up, and both are told.
		{way: "github-oidc", who: "github", code: 403, change: func(t *testing.T, i *issuers) {
			t.Setenv("DATABRICKS_HOST", "https://"+azureHost)
			t.Setenv("DATABRICKS_CLIENT_ID", "")
			t.Setenv("ARM_TENANT_ID", tenant)
			t.Setenv("ARM_CLIENT_ID", "app-1")
			t.Setenv("ARM_CLIENT_SECRET", plantedAzure)
			i.refuses["entra"] = 401
		}, usage: true, reason: "; nor with azure-client-secret: ", remedy: "ARM_CLIENT_SECRET"},
	} {
		name := test.way + " " + strings.TrimSpace(test.who+" "+test.reason)
		t.Run(name, func(t *testing.T) {
			i, o := way(test.way).prepare(t)
			if test.who != "" {
				i.refuses[test.who] = test.code
			}
			if test.change != nil {
				test.change(t, i)
			}
			if test.chosen {
				t.Setenv("DATABRICKS_AUTH_TYPE", test.way)
			}
			var log recorder
			result := runShown(t, &log, o, testSpec(python("1", "100")))
			if result.Verdict != verdict.Inconclusive || !strings.Contains(result.Reason, test.reason) || !strings.Contains(result.Remedy, test.remedy) {
				t.Errorf("%s: %s\n%s", result.Verdict, result.Reason, result.Remedy)
			}
			if got := errors.Is(result.Err(), verdict.ErrUsage); got != test.usage || (result.Code == launch.CodeConfiguration) != test.usage {
				t.Errorf("usage %t, code %s: %s", got, result.Code, result.Reason)
			}
			if len(i.space.order) > 0 {
				t.Error("a cluster was created all the same")
			}
			noSecret(t, i, result, &log)
		})
	}
}

// An issuer that nobody reaches is nobody's setting.
func TestLogInUnreachable(t *testing.T) {
	way := logInWays[slices.IndexFunc(logInWays, func(l login) bool { return l.name == "azure-client-secret" })]
	i, o := way.prepare(t)
	o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host == "login.microsoftonline.com" {
			return nil, errors.New("dial tcp: lookup login.microsoftonline.com: no such host")
		}
		return i.RoundTrip(r)
	})
	result := runShown(t, &recorder{}, o, testSpec())
	if result.Verdict != verdict.Inconclusive || result.Code == launch.CodeConfiguration || errors.Is(result.Err(), verdict.ErrUsage) ||
		!strings.Contains(result.Reason, "with azure-client-secret: login.microsoftonline.com does not answer: dial tcp: lookup login.microsoftonline.com") || !strings.Contains(result.Remedy, "network") {
		t.Errorf("%s, %s: %s\n%s", result.Verdict, result.Code, result.Reason, result.Remedy)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAuthTypesAreTheSDKs fails when the SDK does not know one of the names any more.
func TestAuthTypesAreTheSDKs(t *testing.T) {
	t.Setenv("DATABRICKS_TOKEN", "")
	for _, name := range authTypes {
		cfg := &config.Config{Host: "http://127.0.0.1:1", AuthType: name, HTTPTransport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, &broken{errors.New("nobody there")} })}
		_, err := (&config.DefaultCredentials{}).Configure(context.Background(), cfg)
		if err != nil && strings.Contains(err.Error(), "not found, please check") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
