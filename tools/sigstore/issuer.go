package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// issuer is an OpenID Connect provider whose tokens speak of a workflow on GitHub.
type issuer struct {
	url    string
	bearer string
	signer jose.Signer
}

func newIssuer(bearer string) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	const id = "the-only-key"
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		return nil, err
	}
	i := &issuer{bearer: bearer, signer: signer}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/none",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: id, Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+i.bearer {
			http.Error(w, "the bearer is not the job's", http.StatusUnauthorized)
			return
		}
		token, err := i.token(r.URL.Query().Get)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, map[string]string{"value": token})
	})
	i.url = httptest.NewServer(mux).URL
	return i, nil
}

// token is one for a job of a workflow, as GitHub's claims have it.
func (i *issuer) token(asked func(string) string) (string, error) {
	or := func(name, otherwise string) string {
		if value := asked(name); value != "" {
			return value
		}
		return otherwise
	}
	issued := time.Now()
	if asked("expired") != "" {
		issued = issued.Add(-time.Hour)
	}
	ref, repository := or("ref", "refs/heads/main"), "octo/spark"
	claims, err := json.Marshal(map[string]any{
		"iss": i.url, "aud": or("audience", "https://github.com/octo"), "sub": "repo:" + repository + ":ref:" + ref,
		"iat": issued.Unix(), "nbf": issued.Unix(), "exp": issued.Add(10 * time.Minute).Unix(),
		"event_name": "push", "sha": strings.Repeat("a1", 20), "ref": ref, "repository": repository, "workflow": "golden image",
		"job_workflow_ref": repository + "/.github/workflows/" + or("workflow", "golden.yml") + "@" + ref,
	})
	if err != nil {
		return "", err
	}
	signed, err := i.signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
