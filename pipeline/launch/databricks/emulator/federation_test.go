package emulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// jwks is an issuer with one key, as GitHub's is.
type jwks struct {
	http *httptest.Server
	key  *rsa.PrivateKey
}

func newIssuer(t *testing.T) *jwks {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &jwks{key: key}
	mux := http.NewServeMux()
	i.http = httptest.NewServer(mux)
	t.Cleanup(i.http.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"issuer": i.http.URL, "jwks_uri": i.http.URL + "/jwks", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		part := base64.RawURLEncoding.EncodeToString
		writeJSON(w, http.StatusOK, map[string]any{"keys": []map[string]string{{"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "n": part(key.N.Bytes()), "e": part(big.NewInt(int64(key.E)).Bytes())}}})
	})
	return i
}

func (i *jwks) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	part := func(v any) string { body, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(body) }
	text := part(map[string]string{"alg": "RS256", "kid": "1", "typ": "JWT"}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestFederation exchanges tokens of an issuer for the workspace's, and none that the policy is not for.
func TestFederation(t *testing.T) {
	t.Parallel()
	github, other := newIssuer(t), newIssuer(t)
	const subject = "repo:acme/images:ref:refs/heads/main"
	s, err := New(Options{ClientID: "sp-1", Federation: Federation{Issuer: github.http.URL, Subject: subject}})
	if err != nil {
		t.Fatal(err)
	}
	space := httptest.NewServer(s)
	t.Cleanup(space.Close)
	claims := func(change map[string]any) map[string]any {
		all := map[string]any{"iss": github.http.URL, "sub": subject, "aud": space.URL + "/oidc/v1/token", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix()}
		for name, value := range change {
			all[name] = value
		}
		return all
	}
	for _, test := range []struct {
		name   string
		token  string
		change map[string]string // of the form
		want   string            // in the answer; empty: a token that is let in
	}{
		{"trusted", github.token(t, claims(nil)), nil, ""},
		{"of another repository", github.token(t, claims(map[string]any{"sub": "repo:acme/other:ref:refs/heads/main"})), nil, "no federation policy is for the subject"},
		{"for somebody else", github.token(t, claims(map[string]any{"aud": "https://else.example.com"})), nil, "audience"},
		{"expired", github.token(t, claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})), nil, "expired"},
		{"of another issuer", other.token(t, claims(map[string]any{"iss": other.http.URL})), nil, "the token is not accepted"},
		{"signed by another", other.token(t, claims(nil)), nil, "failed to verify signature"},
		{"no JWT", "dapi-1", nil, "not accepted"},
		{"another service principal", github.token(t, claims(nil)), map[string]string{"client_id": "sp-2"}, "invalid_client"},
		{"another type", github.token(t, claims(nil)), map[string]string{"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "subject_token_type"},
		{"another grant", github.token(t, claims(nil)), map[string]string{"grant_type": "password"}, "unsupported_grant_type"},
	} {
		form := url.Values{"grant_type": {exchangeGrant}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}, "subject_token": {test.token}, "client_id": {"sp-1"}, "scope": {"all-apis"}}
		for name, value := range test.change {
			form.Set(name, value)
		}
		response, err := http.PostForm(space.URL+"/oidc/v1/token", form)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if test.want != "" {
			if response.StatusCode < 400 || !strings.Contains(string(body), test.want) || strings.Contains(string(body), test.token) {
				t.Errorf("%s: %d %s", test.name, response.StatusCode, body)
			}
			continue
		}
		var got struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(body, &got); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", test.name, response.StatusCode, body)
		}
		asked, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, space.URL+"/api/2.0/preview/scim/v2/Me", nil)
		asked.Header.Set("Authorization", "Bearer "+got.AccessToken)
		let, err := http.DefaultClient.Do(asked)
		if err != nil {
			t.Fatal(err)
		}
		let.Body.Close()
		if let.StatusCode != http.StatusOK {
			t.Errorf("%s: the token is not let in: %s", test.name, let.Status)
		}
	}
}
