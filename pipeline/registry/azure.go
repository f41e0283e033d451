package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Azure signs in to Azure's registries as the application of Entra ID that AZURE_CLIENT_ID and AZURE_TENANT_ID name, where
// nothing else gives a credential. That it is that application it shows by the token in the file AZURE_FEDERATED_TOKEN_FILE
// (Kubernetes), by AZURE_CLIENT_SECRET, or by Token, in this order. AZURE_AUTHORITY_HOST is Entra's address where it is not
// that of the registry's cloud. The names are those of Azure's own libraries.
type Azure struct {
	// Env reads the environment.
	Env func(name string) string
	// Token fetches the CI job's identity token for Entra ID; nil: there is none. A usage error says what the job lacks: then
	// there is no credential. Any other error ends the request.
	Token func(ctx context.Context) (string, error)
}

// The names that Azure's libraries have for an application.
const (
	envAzureClient    = "AZURE_CLIENT_ID"
	envAzureTenant    = "AZURE_TENANT_ID"
	envAzureFile      = "AZURE_FEDERATED_TOKEN_FILE"
	envAzureSecret    = "AZURE_CLIENT_SECRET"
	envAzureAuthority = "AZURE_AUTHORITY_HOST"
)

// azureUser is what the registries take for a user name where the password is a refresh token:
// https://learn.microsoft.com/azure/container-registry/container-registry-authentication
const azureUser = "00000000-0000-0000-0000-000000000000"

// azureWait bounds a login with all of its retries; azureLife is how long a refresh token counts that does not say it.
const (
	azureWait = 2 * time.Minute
	azureLife = time.Hour
)

// azureClouds are the domains of Azure's registries, each with the address of its cloud's Entra ID.
var azureClouds = map[string]string{
	".azurecr.io": cloud.AzurePublic.ActiveDirectoryAuthorityHost,
	".azurecr.cn": cloud.AzureChina.ActiveDirectoryAuthorityHost,
	".azurecr.us": cloud.AzureGovernment.ActiveDirectoryAuthorityHost,
}

// azureLogin signs in, and keeps what it got while that holds.
type azureLogin struct {
	Azure
	http  *http.Client
	plain plainHosts
	turn  chan struct{} // holds one while somebody signs in

	mu   sync.Mutex
	kept map[string]token // refresh tokens by host
}

// application is who signs in, and by what.
type application struct {
	client, tenant, authority string
	by                        string // for people
}

func (a application) String() string {
	return fmt.Sprintf("application %s of tenant %s, by %s", a.client, a.tenant, a.by)
}

// newAzureLogin returns nil where nobody is to sign in. Its requests follow no redirect: secrets are in them.
func newAzureLogin(o Options) *azureLogin {
	if o.Azure == nil {
		return nil
	}
	return &azureLogin{Azure: *o.Azure, plain: o.PlainHTTP, turn: make(chan struct{}, 1), kept: map[string]token{}, http: &http.Client{
		Transport:     &retrier{next: &idle{next: o.Transport, limit: o.Idle}, policy: policyOf(o)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// application is whom the environment names for host; false: nobody, or the host is not one of Azure's registries. One that is
// to be spoken to without TLS is none of them, whatever it is called.
func (a *azureLogin) application(host string) (application, bool) {
	if a == nil || a.plain.has(host) {
		return application{}, false
	}
	authority := azureAuthority(host)
	if authority == "" {
		return application{}, false
	}
	app := application{client: a.Env(envAzureClient), tenant: a.Env(envAzureTenant), authority: authority, by: "the CI job's identity"}
	if set := a.Env(envAzureAuthority); set != "" {
		app.authority = set
	}
	switch {
	case a.Env(envAzureFile) != "":
		app.by = "the token in " + envAzureFile
	case a.Env(envAzureSecret) != "":
		app.by = envAzureSecret
	}
	return app, app.client != "" && app.tenant != ""
}

// azureAuthority is the address of Entra ID for a registry of Azure; empty: host is none.
func azureAuthority(host string) string {
	for domain, authority := range azureClouds {
		if name, found := strings.CutSuffix(strings.ToLower(host), domain); found && name != "" {
			return authority
		}
	}
	return ""
}

// leaves says whether a refresh token of ours would leave Azure's registries with a request to realm.
func (a *azureLogin) leaves(host, value, realm string) bool {
	return a != nil && value != "" && a.holding(host) == value && azureAuthority(realm) == ""
}

// find returns the credential for a host. Where the job has nothing to show it is none, and lacks says what is missing: the
// registry may be open to all.
func (a *azureLogin) find(ctx context.Context, host string, app application) (found authn.AuthConfig, lacks string, err error) {
	credential := func(value string) authn.AuthConfig {
		return authn.AuthConfig{Username: azureUser, Password: value, IdentityToken: value}
	}
	if value := a.holding(host); value != "" {
		return credential(value), "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, azureWait)
	defer cancel()
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return found, "", azureSilent(ctx, host, "Entra ID", ctx.Err())
	}
	if value := a.holding(host); value != "" { // somebody else was first
		return credential(value), "", nil
	}
	proof, lacks, err := a.proof(ctx, app)
	if err != nil || lacks != "" {
		return found, lacks, err
	}
	began := time.Now()
	value, err := a.signIn(ctx, host, app, proof)
	if err != nil {
		return found, "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept[host] = token{value: value, expires: began.Add(lifeOf(value) * 9 / 10)}
	return credential(value), "", nil
}

// holding is the refresh token for a host that still holds; empty: there is none.
func (a *azureLogin) holding(host string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if kept := a.kept[host]; time.Now().Before(kept.expires) {
		return kept.value
	}
	return ""
}

// forget drops a refresh token that the registry no longer takes; false: it was none of ours.
func (a *azureLogin) forget(host, value string) bool {
	if a == nil || value == "" {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept[host].value != value {
		return false
	}
	delete(a.kept, host)
	return true
}

// proof is what shows that the job is the application: a token that its issuer signed, or the application's secret.
func (a *azureLogin) proof(ctx context.Context, app application) (proof, lacks string, err error) {
	if file := a.Env(envAzureFile); file != "" {
		text, err := secret.Ref("file:" + file).Read() // each time anew: Kubernetes replaces it within the hour
		if err != nil {
			return "", "", fmt.Errorf("signing in as %s: %w", app, err)
		}
		return strings.TrimSpace(string(text)), "", nil
	}
	if value := a.Env(envAzureSecret); value != "" {
		secret.Mask(value)
		return value, "", nil
	}
	if a.Token == nil {
		return "", fmt.Sprintf("%s names application %s, but neither %s nor %s is set", envAzureClient, app.client, envAzureFile, envAzureSecret), nil
	}
	text, err := a.Token(ctx)
	switch {
	case errors.Is(err, verdict.ErrUsage):
		return "", fmt.Sprintf("%s names application %s, but the job cannot show that it is that: %s", envAzureClient, app.client,
			secret.Redact(verdict.Plain(err))), nil
	case err != nil:
		return "", "", err
	}
	secret.Mask(text)
	return text, "", nil
}

// tokenClaims are what a JSON Web Token says of itself. Nobody vouches for it here.
type tokenClaims struct {
	Issuer  string  `json:"iss"`
	Subject string  `json:"sub"`
	Issued  float64 `json:"iat"`
	Expires float64 `json:"exp"`
}

func claimsOf(token string) (claims tokenClaims, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims, false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	return claims, err == nil && json.Unmarshal(body, &claims) == nil
}

// lifeOf is how long a new token holds: by its own two dates, for this machine's clock may be another.
func lifeOf(token string) time.Duration {
	claims, ok := claimsOf(token)
	life := claims.Expires - claims.Issued
	if !ok || claims.Issued <= 0 || life <= 0 || life > 24*60*60 {
		return azureLife
	}
	return time.Duration(life) * time.Second
}
