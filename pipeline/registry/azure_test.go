package registry_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// asApplication are options that sign in as the application, with an environment changed by more; token is the CI system's.
func asApplication(c *azureCloud, token func(context.Context) (string, error), more map[string]string) registry.Options {
	env := map[string]string{"AZURE_CLIENT_ID": azureClient, "AZURE_TENANT_ID": azureTenant}
	maps.Copy(env, more)
	return registry.Options{
		Transport: c.transport(),
		Azure:     &registry.Azure{Env: func(name string) string { return env[name] }, Token: token},
	}
}

func given(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// TestAzureSignsIn: by each proof, once for all that a run does.
func TestAzureSignsIn(t *testing.T) {
	t.Parallel()
	none := func(context.Context) (string, error) { return "", errors.New("the CI system is not to be asked") }
	for name, how := range map[string]struct {
		by      string
		options func(c *azureCloud) registry.Options
	}{
		"the CI system's token": {"the CI job's identity", func(c *azureCloud) registry.Options {
			return asApplication(c, given(c.jobToken(t, nil)), nil)
		}},
		"a file": {"the token in AZURE_FEDERATED_TOKEN_FILE", func(c *azureCloud) registry.Options {
			file := filepath.Join(t.TempDir(), "azure-identity-token")
			if err := os.WriteFile(file, []byte(c.jobToken(t, nil)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return asApplication(c, none, map[string]string{"AZURE_FEDERATED_TOKEN_FILE": file, "AZURE_CLIENT_SECRET": "not to be used"})
		}},
		"a secret": {"AZURE_CLIENT_SECRET", func(c *azureCloud) registry.Options {
			return asApplication(c, none, map[string]string{"AZURE_CLIENT_SECRET": azurePassword})
		}},
		"with Entra's address": {"the CI job's identity", func(c *azureCloud) registry.Options {
			return asApplication(c, given(c.jobToken(t, nil)), map[string]string{"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newAzureCloud(t)
			client := newClient(t, how.options(c))
			for _, repository := range []string{"app", "app", "base"} {
				if _, found, err := client.Head(t.Context(), azureHost+"/"+repository, "golden"); err != nil || found {
					t.Fatalf("found %t, %v", found, err)
				}
			}
			img := onDisk(t, 10, 1)
			if err := client.PutManifest(t.Context(), subjectOf(t, azureHost+"/app", img), img); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("a write that is let through: %v", err)
			}
			if entra, exchanged, tokens := c.count("/oauth2/v2.0/token"), c.count("/oauth2/exchange"), c.count("/oauth2/token"); entra != 1 || exchanged != 1 || tokens != 3 {
				t.Errorf("asked Entra ID %d times, exchanged %d times, %d tokens", entra, exchanged, tokens)
			}
			shown, err := client.Shows(t.Context(), azureHost)
			want := fmt.Sprintf("application %s of tenant %s, by %s", azureClient, azureTenant, how.by)
			if err != nil || shown.From != want || !shown.Renewed || shown.Expires.Before(time.Now().Add(2*time.Hour)) {
				t.Errorf("%+v, %v", shown, err)
			}
			if user, password, err := client.Credentials(azureHost); err != nil || user != "" || !c.refresh[password] {
				t.Errorf("an engine gets user %q, a refresh token: %t, %v", user, c.refresh[password], err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, all := range []map[string]bool{c.entra, c.refresh} {
				for value := range all {
					if secret.Redact(value) != "***" {
						t.Error("a token is not masked")
					}
				}
			}
		})
	}
}

// TestAzureRenews: a refresh token that ends, by its own word or before, is followed by another.
func TestAzureRenews(t *testing.T) {
	t.Parallel()
	c := newAzureCloud(t)
	asked := 0
	client := newClient(t, asApplication(c, func(context.Context) (string, error) {
		asked++
		return c.jobToken(t, nil), nil
	}, nil))
	head := func(repository string) {
		t.Helper()
		if _, _, err := client.Head(t.Context(), azureHost+"/"+repository, "golden"); err != nil {
			t.Fatal(err)
		}
	}
	head("a")
	head("b")
	if asked != 1 {
		t.Fatalf("%d logins", asked)
	}
	client.EndAzureTokens()
	head("c")
	if asked != 2 || c.count("/oauth2/exchange") != 2 {
		t.Errorf("%d logins after the first refresh token ended", asked)
	}
	c.mu.Lock()
	clear(c.refresh)
	c.mu.Unlock()
	head("d")
	if asked != 3 {
		t.Errorf("%d logins after the second refresh token was revoked", asked)
	}
	c.mu.Lock()
	c.life = 1
	c.mu.Unlock()
	client.EndAzureTokens()
	head("g")
	time.Sleep(time.Second) // the registry's clock is an hour ahead: its word for the end is not to be compared with ours
	head("h")
	if asked != 5 {
		t.Errorf("%d logins where a refresh token lasts a second", asked)
	}
	c.mu.Lock()
	c.life = 0 // says nothing that could be meant
	c.mu.Unlock()
	client.EndAzureTokens()
	head("e")
	head("f")
	if asked != 6 {
		t.Errorf("%d logins where a refresh token does not say how long it holds", asked)
	}
}

// TestAzureOnce: who asks at the same time shares one login, and who may not wait for it does not.
func TestAzureOnce(t *testing.T) {
	t.Parallel()
	c := newAzureCloud(t)
	begun, further := make(chan struct{}), make(chan struct{})
	client := newClient(t, asApplication(c, func(context.Context) (string, error) {
		close(begun) // a second login would panic
		<-further
		return c.jobToken(t, nil), nil
	}, nil))
	results := make(chan error, 8)
	for range cap(results) {
		go func() {
			_, _, err := client.Credentials(azureHost)
			results <- err
		}()
	}
	<-begun
	hurried, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.Shows(hurried, azureHost); verdict.ExitCodeOf(err) != verdict.ExitInconclusive {
		t.Errorf("who may not wait: %v", err)
	}
	close(further)
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// TestAzureStaysInAzure: a challenge does not lead what opens the registry elsewhere.
func TestAzureStaysInAzure(t *testing.T) {
	t.Parallel()
	c := newAzureCloud(t)
	c.realm = "contoso.azurecr.io.example.com"
	_, _, err := newClient(t, asApplication(c, given(c.jobToken(t, nil)), nil)).Head(t.Context(), azureHost+"/app", "golden")
	wantError(t, err, registry.CodeAnswer, "contoso.azurecr.io.example.com, which is no registry of Azure")
	if n := c.count("example.com/oauth2/token"); n > 0 {
		t.Errorf("%d requests elsewhere", n)
	}
}

// TestAzureClouds: each cloud's registries have their cloud's Entra ID, unless the environment names another.
func TestAzureClouds(t *testing.T) {
	t.Parallel()
	for host, tt := range map[string]struct{ authority, want string }{
		"contoso.azurecr.cn":                 {"", "login.chinacloudapi.cn"},
		"contoso.azurecr.us":                 {"", "login.microsoftonline.us"},
		"contoso-a1b2.eastus.geo.azurecr.io": {"", "login.microsoftonline.com"},
		"fabrikam.azurecr.us":                {"https://login.microsoftonline.com/", "login.microsoftonline.com"},
	} {
		c := newAzureCloud(t)
		client := newClient(t, asApplication(c, given(c.jobToken(t, nil)), map[string]string{"AZURE_AUTHORITY_HOST": tt.authority}))
		if _, _, err := client.Credentials(host); err == nil {
			t.Errorf("%s is not in this cloud", host)
		}
		if len(c.asked) == 0 || !strings.Contains(strings.Join(c.asked, " "), tt.want+"/"+azureTenant) {
			t.Errorf("%s: asked %q, not %s", host, c.asked, tt.want)
		}
	}
}

func TestAzureWaits(t *testing.T) {
	t.Parallel()
	c := newAzureCloud(t)
	const at = azureHost + "/oauth2/exchange"
	c.answers[at] = func(w http.ResponseWriter, _ *http.Request) {
		delete(c.answers, at)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	heard := &notes{}
	if _, _, err := newClient(t, asApplication(c, given(c.jobToken(t, nil)), nil)).Head(progress.With(t.Context(), heard), azureHost+"/app", "golden"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(heard.String(), azureHost+" answered 503") {
		t.Errorf("nobody was told: %s", heard)
	}
	unreachable := asApplication(c, given(c.jobToken(t, nil)), nil)
	unreachable.MaxRetries = -1
	unreachable.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "login.") {
			return nil, &net.DNSError{Name: "login.microsoftonline.com", IsNotFound: true, Err: "no such host"}
		}
		return c.transport().DialContext(ctx, network, address)
	}
	if _, _, err := newClient(t, unreachable).Head(t.Context(), azureHost+"/app", "golden"); verdict.ExitCodeOf(err) != verdict.ExitInconclusive || !strings.Contains(err.Error(), "Entra ID does not answer") {
		t.Errorf("%v", err)
	}
}

// TestAzureLast: whatever else gives a credential comes first, and other hosts see nothing of it.
func TestAzureLast(t *testing.T) {
	t.Parallel()
	none := func(context.Context) (string, error) { return "", errors.New("nobody is to sign in here") }
	lacking := func(context.Context) (string, error) {
		return "", fmt.Errorf("%w: asking GitHub Actions for an identity token: give the job the permission id-token: write", verdict.ErrUsage)
	}
	silent := func(context.Context) (string, error) {
		return "", &verdict.Error{Verdict: verdict.Inconclusive, Code: "ci.token", Doing: "asking for an identity token:", Object: "GitHub Actions", Cause: errors.New("it answers with status 503")}
	}
	for name, tt := range map[string]struct {
		token   func(context.Context) (string, error)
		env     map[string]string
		change  func(t *testing.T, o *registry.Options)
		host    string
		user    string
		exit    int
		refused string // in the error of who is not let in
	}{
		"docker login": {token: none, user: "robot", change: func(t *testing.T, o *registry.Options) {
			t.Helper()
			o.DockerConfig = dockerConfig(t, loginOf(azureHost, user, password))
		}},
		"nobody named":         {token: none, env: map[string]string{"AZURE_CLIENT_ID": ""}, refused: "run `docker login"},
		"no tenant named":      {token: none, env: map[string]string{"AZURE_TENANT_ID": ""}, refused: "run `docker login"},
		"another host":         {token: none, host: "registry.example.com"},
		"a host that pretends": {token: none, host: "contoso.azurecr.io.example.com"},
		"the domain itself":    {token: none, host: "azurecr.io"},
		"other credentials":    {token: none, change: func(_ *testing.T, o *registry.Options) { o.OnlyAuth = true }},
		"nobody may":           {token: none, change: func(_ *testing.T, o *registry.Options) { o.Azure = nil }, refused: "run `docker login"},
		"without TLS":          {token: none, change: func(_ *testing.T, o *registry.Options) { o.PlainHTTP = []string{azureHost} }},
		"no permission":        {token: lacking, refused: "the job cannot show that it is that: asking GitHub Actions for an identity token: give the job the permission id-token: write"},
		"no CI system":         {refused: "neither AZURE_FEDERATED_TOKEN_FILE nor AZURE_CLIENT_SECRET is set"},
		"a CI system that is ill": {
			token: silent, exit: verdict.ExitInconclusive, refused: "status 503",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newAzureCloud(t)
			options := asApplication(c, tt.token, tt.env)
			options.MaxRetries = -1
			if tt.change != nil {
				tt.change(t, &options)
			}
			host := tt.host
			if host == "" {
				host = azureHost
			}
			client := newClient(t, options)
			if user, _, err := client.Credentials(host); verdict.ExitCodeOf(err) != tt.exit || user != tt.user {
				t.Errorf("user %q, %v", user, err)
			}
			if n := c.count("/oauth2/v2.0/token") + c.count("/oauth2/exchange"); n > 0 {
				t.Errorf("%d requests for tokens", n)
			}
			if tt.refused == "" {
				return
			}
			want := verdict.ExitUsage
			if tt.exit != 0 {
				want = tt.exit
			}
			if _, _, err := client.Head(t.Context(), host+"/app", "golden"); verdict.ExitCodeOf(err) != want || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("exit code %d: %v", verdict.ExitCodeOf(err), err)
			}
			if shown, err := client.Shows(t.Context(), host); tt.exit == 0 && (err != nil || (shown.Lacks != "") != strings.Contains(tt.refused, "set") && !strings.Contains(tt.refused, "permission")) {
				t.Errorf("%+v, %v", shown, err)
			}
		})
	}
}
