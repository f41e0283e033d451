package databricks

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// What issuers of tokens are shown, and what they give out. None of it may be seen in what people read.
const (
	plantedActions = "planted-actions-request-token-11"
	plantedAzure   = "planted-azure-client-secret-12"
	plantedEntra   = "planted-entra-access-token-13"
	plantedManage  = "planted-management-token-14"
	plantedDevOps  = "planted-system-access-token-15"
)

const (
	azureHost = "adb-1.7.azuredatabricks.net"
	tenant    = "11111111-2222-3333-4444-555555555555"
	// databricksApp is the application that workspaces on Azure are, as every tool of Databricks knows it.
	databricksApp = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
	management    = "https://management.core.windows.net/"
)

// issuers are those who give out tokens: GitHub, Azure Pipelines, Entra, Azure's metadata service, and the workspace
// itself, which takes tokens of its federation policy. Each checks what it is sent.
type issuers struct {
	t       *testing.T
	space   *server
	http    *httptest.Server // all but the workspace
	key     ed25519.PrivateKey
	public  ed25519.PublicKey
	refuses map[string]int    // issuer -> status that it answers with
	subject string            // that GitHub vouches for
	policy  map[string]string // claims that the workspace wants
	managed bool              // the workspace wants to see a token for Azure's management, too

	mu     sync.Mutex
	asked  []string // issuers
	issued []string // tokens of theirs
}

func newIssuers(t *testing.T) *issuers {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuers{t: t, space: newServer(t), key: private, public: public, refuses: map[string]int{}, subject: "repo:acme/images:ref:refs/heads/main"}
	i.http = httptest.NewServer(i)
	t.Cleanup(i.http.Close)
	i.policy = map[string]string{"iss": i.http.URL, "sub": i.subject, "aud": i.space.http.URL + "/oidc/v1/token"}
	i.space.open = i.exchange
	i.space.token = plantedBearer
	return i
}

// jwt is a token that this issuer signs.
func (i *issuers) jwt(audience string, expires time.Time) string {
	part := func(v any) string {
		body, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(body)
	}
	signed := part(map[string]string{"alg": "EdDSA", "typ": "JWT"}) + "." + part(map[string]any{"iss": i.http.URL, "sub": i.subject, "aud": audience, "exp": expires.Unix()})
	signed += "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(i.key, []byte(signed)))
	i.mu.Lock()
	defer i.mu.Unlock()
	i.issued = append(i.issued, signed)
	return signed
}

// vouched says what is wrong with a token; empty: nothing.
func (i *issuers) vouched(token string, want map[string]string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "no JWT"
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(i.public, []byte(parts[0]+"."+parts[1]), signature) {
		return "the signature is not the issuer's"
	}
	var claims struct {
		Iss, Sub, Aud string
		Exp           int64
	}
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if err := json.Unmarshal(body, &claims); err != nil {
		return "no claims"
	}
	for name, got := range map[string]string{"iss": claims.Iss, "sub": claims.Sub, "aud": claims.Aud} {
		if want[name] != "" && want[name] != got {
			return fmt.Sprintf("%s is %q, not %q", name, got, want[name])
		}
	}
	if time.Now().Unix() > claims.Exp {
		return "it has expired"
	}
	return ""
}

// form is a request's body, of which there may be no other fields.
func (i *issuers) form(r *http.Request, want map[string]string) url.Values {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		i.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	for name, value := range want {
		if got := r.PostForm.Get(name); value != "" && got != value {
			i.t.Errorf("%s: %s is %q, not %q", r.URL, name, got, value)
		}
	}
	for name := range r.PostForm {
		if _, known := want[name]; !known {
			i.t.Errorf("%s: there is no field %s", r.URL, name)
		}
	}
	return r.PostForm
}

// exchange is the workspace's end: it gives its own token for one that its federation policy trusts (RFC 8693).
func (i *issuers) exchange(w http.ResponseWriter, r *http.Request) bool {
	base := i.space.http.URL
	switch r.URL.Path {
	case "/oidc/.well-known/oauth-authorization-server":
		write(w, http.StatusOK, map[string]any{"token_endpoint": base + "/oidc/v1/token", "authorization_endpoint": base + "/oidc/v1/authorize"})
		return true
	case "/oidc/v1/token":
	default:
		if token := r.Header.Get("X-Databricks-Azure-SP-Management-Token"); i.managed && token != plantedManage {
			i.t.Errorf("%s: the token for Azure's management is %q", r.URL, token)
		}
		return false
	}
	i.ask("exchange")
	if i.refused(w, "exchange") {
		return true
	}
	form := i.form(r, map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
		"subject_token": "", "client_id": "sp-1", "scope": "all-apis",
	})
	if wrong := i.vouched(form.Get("subject_token"), i.policy); wrong != "" {
		write(w, http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "the token " + form.Get("subject_token") + " matches no federation policy: " + wrong})
		return true
	}
	write(w, http.StatusOK, map[string]any{"access_token": plantedBearer, "token_type": "Bearer", "expires_in": 3600})
	return true
}

func (i *issuers) ask(who string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = append(i.asked, who)
}

// refused answers for an issuer that is out of order, and repeats whatever it was sent.
func (i *issuers) refused(w http.ResponseWriter, who string) bool {
	code := i.refuses[who]
	if code == 0 {
		return false
	}
	secrets := strings.Join([]string{plantedActions, plantedAzure, plantedDevOps}, " ")
	write(w, code, map[string]any{"error": "invalid_client", "error_description": "AADSTS7000215: who are you with " + secrets + ". Trace ID: 1", "message": "refused with " + secrets})
	return true
}

func (i *issuers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var who string
	var answer func()
	bearer := func(token string) bool { return r.Header.Get("Authorization") == "Bearer "+token }
	switch {
	case r.URL.Path == "/actions/token": // GitHub's, of a job that may write id tokens
		who, answer = "github", func() {
			if !bearer(plantedActions) || r.URL.Query().Get("api-version") != "2.0" || r.URL.Query().Get("audience") == "" {
				i.t.Errorf("GitHub is asked with %s, %v", r.URL, r.Header)
			}
			write(w, http.StatusOK, map[string]any{"count": 1, "value": i.jwt(r.URL.Query().Get("audience"), time.Now().Add(time.Minute))})
		}
	case r.URL.Path == "/acme/project-1/_apis/distributedtask/hubs/build/plans/plan-1/jobs/job-1/oidctoken": // of Azure Pipelines
		who, answer = "devops", func() {
			if r.Method != http.MethodPost || !bearer(plantedDevOps) {
				i.t.Errorf("Azure Pipelines is asked with %s, %v", r.Method, r.Header)
			}
			write(w, http.StatusOK, map[string]any{"oidcToken": i.jwt("api://AzureADTokenExchange", time.Now().Add(time.Minute))})
		}
	case r.URL.Path == "/"+tenant+"/oauth2/token": // Entra
		who, answer = "entra", func() { i.entra(w, r) }
	case r.URL.Path == "/metadata/identity/oauth2/token": // of a virtual machine on Azure
		who, answer = "metadata", func() {
			q := r.URL.Query()
			if r.Header.Get("Metadata") != "true" || q.Get("api-version") != "2018-02-01" {
				i.t.Errorf("the metadata service is asked with %s, %v", r.URL, r.Header)
			}
			write(w, http.StatusOK, entraToken(i.t, q.Get("resource")))
		}
	default:
		i.t.Errorf("there is no such issuer: %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	i.ask(who)
	if !i.refused(w, who) {
		answer()
	}
}

// entra gives out tokens to a service principal with its secret, or with the word of an issuer that it trusts.
func (i *issuers) entra(w http.ResponseWriter, r *http.Request) {
	if _, _, basic := r.BasicAuth(); basic { // the library tries this first
		write(w, http.StatusUnauthorized, map[string]any{"error": "invalid_request", "error_description": "AADSTS900144: the request body must contain client_id"})
		return
	}
	want := map[string]string{"grant_type": "client_credentials", "client_id": "app-1", "resource": ""}
	if r.FormValue("client_assertion") != "" {
		want["client_assertion_type"], want["client_assertion"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", ""
		if wrong := i.vouched(r.FormValue("client_assertion"), map[string]string{"iss": i.http.URL, "aud": "api://AzureADTokenExchange"}); wrong != "" {
			i.t.Errorf("Entra is shown a token that is wrong: %s", wrong)
		}
	} else {
		want["client_secret"] = plantedAzure
	}
	write(w, http.StatusOK, entraToken(i.t, i.form(r, want).Get("resource")))
}

func entraToken(t *testing.T, resource string) map[string]any {
	token, known := map[string]string{databricksApp: plantedEntra, management: plantedManage}[resource]
	if !known {
		t.Errorf("a token for %q is asked for", resource)
	}
	return map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": "3599", "expires_on": fmt.Sprint(time.Now().Add(time.Hour).Unix()), "resource": resource}
}

// RoundTrip takes requests to the names of the real issuers to these, and refuses the rest of the world.
func (i *issuers) RoundTrip(r *http.Request) (*http.Response, error) {
	to := r.URL.Host
	switch to {
	case azureHost:
		to = strings.TrimPrefix(i.space.http.URL, "http://")
	case "login.microsoftonline.com", "169.254.169.254":
		to = strings.TrimPrefix(i.http.URL, "http://")
	default:
		if !strings.HasPrefix(to, "127.0.0.1:") {
			i.t.Errorf("somebody asks %s", r.URL)
			return nil, fmt.Errorf("%s is out of reach", to)
		}
	}
	sent := r.Clone(r.Context())
	sent.URL.Scheme, sent.URL.Host = "http", to
	return http.DefaultTransport.RoundTrip(sent)
}
