package registry_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the fake cloud knows.
const (
	azureClient   = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
	azureTenant   = "6fa459ea-ee8a-4ca4-894e-db77e160355e"
	azureHost     = "contoso.azurecr.io"
	azurePassword = "the-application's~own_secret"
	jobIssuer     = "https://token.actions.githubusercontent.com"
	jobSubject    = "repo:octo/app:ref:refs/heads/main"
)

// azureCloud speaks for Entra ID and for a registry of Azure, both under their real names, as far as a login goes.
type azureCloud struct {
	key    *rsa.PrivateKey // of the job's issuer
	server *httptest.Server

	mu       sync.Mutex
	entra    map[string]bool   // access tokens
	refresh  map[string]bool   // refresh tokens that hold
	access   map[string]string // the registry's access tokens -> scopes
	role     string            // what the application may: "pull,push", "pull", or "" for nothing
	trusts   string            // subject of the federated credential
	life     int64             // seconds that refresh tokens hold
	realm    string            // host of the token service
	answers  map[string]http.HandlerFunc
	asked    []string // host and path of each request but the registry's own
	bearings []string // what the registry itself was asked: method, status
}

// issuerKey is made once: it takes a while.
var issuerKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newAzureCloud(t *testing.T) *azureCloud {
	t.Helper()
	key, err := issuerKey()
	if err != nil {
		t.Fatal(err)
	}
	c := &azureCloud{
		key: key, entra: map[string]bool{}, refresh: map[string]bool{}, access: map[string]string{}, answers: map[string]http.HandlerFunc{},
		realm: azureHost, role: "pull,push", trusts: jobSubject, life: 3 * 60 * 60,
	}
	c.server = httptest.NewTLSServer(c)
	t.Cleanup(c.server.Close)
	return c
}

// transport leads to the cloud whatever the name, and checks its certificate.
func (c *azureCloud) transport() *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(c.server.Certificate())
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.server.Listener.Addr().String())
		},
	}
}

// jobToken is what the CI system's issuer signs.
func (c *azureCloud) jobToken(t *testing.T, changed map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": jobIssuer, "sub": jobSubject, "aud": "api://AzureADTokenExchange", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": rand.Text(),
	}
	for name, value := range changed {
		claims[name] = value
	}
	text := unsigned(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, c.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func unsigned(claims map[string]any) string {
	body, _ := json.Marshal(claims)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(body)
}

func (c *azureCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := r.Host + r.URL.Path
	if strings.HasPrefix(r.URL.Path, "/v2/") {
		c.registry(w, r)
		return
	}
	c.asked = append(c.asked, at)
	if answer := c.answers[at]; answer != nil {
		answer(w, r)
		return
	}
	_ = r.ParseForm()
	switch at {
	case "login.microsoftonline.com/common/discovery/instance":
		reply(w, http.StatusOK, map[string]any{
			"tenant_discovery_endpoint": "https://login.microsoftonline.com/" + azureTenant + "/v2.0/.well-known/openid-configuration",
			"metadata": []any{map[string]any{
				"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net", "aliases": []string{"login.microsoftonline.com", "login.windows.net"},
			}},
		})
	case "login.microsoftonline.com/" + azureTenant + "/v2.0/.well-known/openid-configuration":
		base := "https://login.microsoftonline.com/" + azureTenant
		reply(w, http.StatusOK, map[string]any{
			"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
		})
	case "login.microsoftonline.com/" + azureTenant + "/oauth2/v2.0/token":
		c.entraToken(w, r)
	case azureHost + "/oauth2/exchange":
		c.exchange(w, r)
	case azureHost + "/oauth2/token":
		c.token(w, r)
	default:
		if strings.HasPrefix(at, "login.microsoftonline.com/") {
			entraRefuses(w, http.StatusBadRequest, "invalid_request", "AADSTS90002: Tenant 'x' not found. Check to make sure you have the correct tenant ID.")
			return
		}
		http.NotFound(w, r)
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func entraRefuses(w http.ResponseWriter, status int, kind, description string) {
	reply(w, status, map[string]any{
		"error": kind, "error_description": description + " Trace ID: 0d1c Correlation ID: 77aa Timestamp: 2026-01-01 00:00:00Z", "error_codes": []int{1},
	})
}

// entraToken is the client credentials grant, with a secret or with another issuer's token.
func (c *azureCloud) entraToken(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	switch {
	case r.Method != http.MethodPost || form.Get("grant_type") != "client_credentials":
		entraRefuses(w, http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
		return
	case form.Get("client_id") != azureClient:
		entraRefuses(w, http.StatusBadRequest, "unauthorized_client", "AADSTS700016: Application with identifier '"+form.Get("client_id")+"' was not found in the directory.")
		return
	case strings.Fields(form.Get("scope"))[0] != "https://containerregistry.azure.net/.default":
		entraRefuses(w, http.StatusBadRequest, "invalid_resource", "AADSTS500011: The resource principal named "+form.Get("scope")+" was not found.")
		return
	case form.Get("client_secret") != "":
		if form.Get("client_secret") != azurePassword {
			entraRefuses(w, http.StatusUnauthorized, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
			return
		}
	default:
		if kind, description := c.distrusts(form.Get("client_assertion_type"), form.Get("client_assertion")); kind != "" {
			entraRefuses(w, http.StatusUnauthorized, kind, description)
			return
		}
	}
	value := "entra-access-" + rand.Text()
	c.entra[value] = true
	reply(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": value})
}

// distrusts says what Entra ID has against another issuer's token.
func (c *azureCloud) distrusts(kind, assertion string) (code, description string) {
	parts := strings.Split(assertion, ".")
	if kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || len(parts) != 3 {
		return "invalid_request", "AADSTS50027: JWT token is invalid or malformed."
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(&c.key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
		return "invalid_client", "AADSTS7000272: The signature of the assertion is not valid."
	}
	var claims struct {
		Iss, Sub, Aud string
		Exp           int64
	}
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	_ = json.Unmarshal(body, &claims)
	switch {
	case claims.Exp < time.Now().Unix():
		return "invalid_client", "AADSTS700024: Client assertion is not within its valid time range."
	case claims.Iss != jobIssuer:
		return "invalid_client", "AADSTS700211: No matching federated identity record found for presented assertion issuer '" + claims.Iss + "'."
	case claims.Sub != c.trusts:
		return "invalid_client", "AADSTS700213: No matching federated identity record found for presented assertion subject '" + claims.Sub + "'."
	case claims.Aud != "api://AzureADTokenExchange":
		return "invalid_client", "AADSTS700212: No matching federated identity record found for presented assertion audience '" + claims.Aud + "'."
	}
	return "", ""
}

func acrRefuses(w http.ResponseWriter, status int) {
	reply(w, status, map[string]any{"errors": []any{map[string]any{
		"code": "UNAUTHORIZED", "message": "authentication required, visit https://aka.ms/acr/authorization for more information.",
	}}})
}

func (c *azureCloud) exchange(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	switch {
	case r.Method != http.MethodPost:
		http.NotFound(w, r)
	case form.Get("grant_type") != "access_token" || form.Get("service") != azureHost || form.Get("tenant") != azureTenant:
		reply(w, http.StatusBadRequest, map[string]any{"errors": []any{map[string]any{"code": "UNSUPPORTED", "message": "the request is not supported"}}})
	case !c.entra[form.Get("access_token")] || c.role == "":
		acrRefuses(w, http.StatusUnauthorized)
	default:
		now := time.Now().Add(time.Hour).Unix() // its clock is ahead
		value := unsigned(map[string]any{"iss": "Azure Container Registry", "aud": azureHost, "iat": now, "exp": now + c.life, "jti": rand.Text()}) + ".c2ln"
		c.refresh[value] = true
		reply(w, http.StatusOK, map[string]any{"refresh_token": value})
	}
}

func (c *azureCloud) token(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	if r.Method != http.MethodPost || form.Get("grant_type") != "refresh_token" || form.Get("service") != azureHost || !c.refresh[form.Get("refresh_token")] {
		acrRefuses(w, http.StatusUnauthorized)
		return
	}
	value := "acr-access-" + rand.Text()
	c.access[value] = form.Get("scope")
	reply(w, http.StatusOK, map[string]any{"access_token": value}) // it does not say for how long
}

// registry holds nothing, and says so to whom it knows.
func (c *azureCloud) registry(w http.ResponseWriter, r *http.Request) {
	needs := "pull"
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		needs = "push"
	}
	repository := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")[0]
	scope, known := c.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !known || !strings.HasPrefix(scope, "repository:"+repository+":") || !strings.Contains(scope, needs) || !strings.Contains(c.role, needs) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="https://%s/oauth2/token",service="%s",scope="repository:%s:%s"`,
			c.realm, azureHost, repository, map[string]string{"pull": "pull", "push": "pull,push"}[needs]))
		c.bearings = append(c.bearings, r.Method+" 401")
		acrRefuses(w, http.StatusUnauthorized)
		return
	}
	c.bearings = append(c.bearings, r.Method+" 404")
	http.NotFound(w, r)
}

// count is how often something was asked.
func (c *azureCloud) count(end string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.asked {
		if strings.HasSuffix(at, end) {
			n++
		}
	}
	return n
}
