package emulator

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
)

// tokenLife is how long a token lives that was asked for through OAuth, as on the platform.
const tokenLife = time.Hour

// letIn looks at the bearer token.
func (s *Server) letIn(r *http.Request) error {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || token == "" {
		return &apiError{http.StatusUnauthorized, 401, "Credential was not sent or was of an unsupported type for this API."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for known, c := range s.tokens {
		if subtle.ConstantTimeCompare([]byte(known), []byte(token)) != 1 {
			continue
		}
		if !c.until.IsZero() && time.Now().After(c.until) {
			return &apiError{http.StatusForbidden, 403, "Invalid Token: the token has expired."}
		}
		return nil
	}
	return &apiError{http.StatusForbidden, 403, "Invalid access token."}
}

// wellKnown answers before anybody has shown a token.
func (s *Server) wellKnown() {
	open := func(pattern string, answer func(base string) any) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { writeJSON(w, http.StatusOK, answer(base(r))) })
	}
	open("GET /.well-known/databricks-config", func(base string) any {
		return map[string]any{
			"oidc_endpoint": base + "/oidc", "workspace_id": "7474616", "cloud": strings.ToUpper(s.options.Cloud), "host_type": "workspace",
			"token_federation_default_oidc_audiences": []string{base + "/oidc/v1/token"},
		}
	})
	open("GET /oidc/.well-known/oauth-authorization-server", func(base string) any {
		return map[string]any{
			"issuer": base + "/oidc", "authorization_endpoint": base + "/oidc/v1/authorize", "token_endpoint": base + "/oidc/v1/token",
			"grant_types_supported":                 []string{"client_credentials", exchangeGrant},
			"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
			"scopes_supported":                      []string{"all-apis"},
		}
	})
	s.mux.HandleFunc("POST /oidc/v1/token", s.giveToken)
}

// giveToken is OAuth's grant for machines, RFC 6749 section 4.4.
func (s *Server) giveToken(w http.ResponseWriter, r *http.Request) {
	wrong := func(status int, code, text string) {
		writeJSON(w, status, map[string]string{"error": code, "error_description": text})
	}
	if err := r.ParseForm(); err != nil {
		wrong(http.StatusBadRequest, "invalid_request", "the form cannot be read")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
	case exchangeGrant:
		s.exchange(w, r, wrong)
		return
	default:
		wrong(http.StatusBadRequest, "unsupported_grant_type", "only client_credentials and token exchange are supported")
		return
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	if s.options.ClientID == "" || s.options.ClientSecret == "" || !same(id, s.options.ClientID) || !same(secret, s.options.ClientSecret) {
		wrong(http.StatusUnauthorized, "invalid_client", "Client authentication failed")
		return
	}
	s.giveOut(w)
}

// base is the address by which the caller knows the workspace.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// me is who the token belongs to.
func (s *Server) me(*request) (any, error) {
	entitlements := []map[string]string{{"value": "workspace-access"}, {"value": "databricks-sql-access"}}
	if !s.options.CannotCreate {
		entitlements = append(entitlements, map[string]string{"value": "allow-cluster-create"})
	}
	return map[string]any{
		"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "id": "1", "userName": s.options.User, "displayName": s.options.User, "active": true,
		"emails":       []map[string]any{{"type": "work", "value": s.options.User, "primary": true}},
		"entitlements": entitlements, "groups": []map[string]string{{"display": "users", "value": "2", "type": "direct"}},
	}, nil
}
