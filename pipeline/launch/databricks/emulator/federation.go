package emulator

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Federation is the policy by which a service principal logs in without a secret: with the token of an issuer that it
// trusts, such as GitHub's for one repository.
type Federation struct {
	Issuer   string // its address, where it tells of itself and of its keys; empty: there is no policy
	Subject  string // whom the issuer must vouch for: repo:acme/images:ref:refs/heads/main
	Audience string // whom the token must be meant for; empty: the workspace's own address for tokens
}

// exchangeGrant is OAuth's token exchange, RFC 8693 section 2.1.
const exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"

// issuerWithin bounds the questions to an issuer.
const issuerWithin = 10 * time.Second

// issuer is what the issuer told of itself, once it was asked.
type issuer struct {
	mu    sync.Mutex
	known *oidc.Provider
}

func (i *issuer) provider(ctx context.Context, address string) (*oidc.Provider, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known == nil {
		// Its keys are fetched later, with this context: it must outlive the request.
		asked, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), &http.Client{Timeout: issuerWithin}), address)
		if err != nil {
			return nil, err
		}
		i.known = asked
	}
	return i.known, nil
}

// exchange gives the workspace's token for one that the policy trusts.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, wrong func(status int, code, text string)) {
	policy, form := s.options.Federation, r.PostForm
	audience := policy.Audience
	if audience == "" {
		audience = base(r) + "/oidc/v1/token"
	}
	switch {
	case policy.Issuer == "" || s.options.ClientID == "":
		wrong(http.StatusBadRequest, "invalid_request", "no federation policy is configured")
		return
	case form.Get("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt" || form.Get("subject_token") == "":
		wrong(http.StatusBadRequest, "invalid_request", "subject_token must be a JWT, and subject_token_type say so")
		return
	case form.Get("client_id") != s.options.ClientID:
		wrong(http.StatusUnauthorized, "invalid_client", "there is no service principal of this client_id")
		return
	}
	provider, err := s.issuer.provider(r.Context(), strings.TrimRight(policy.Issuer, "/"))
	if err != nil {
		wrong(http.StatusInternalServerError, "server_error", "the issuer of the federation policy cannot be asked")
		return
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(r.Context(), form.Get("subject_token"))
	switch {
	case err != nil:
		wrong(http.StatusBadRequest, "invalid_request", "the token is not accepted: "+strings.TrimPrefix(err.Error(), "oidc: "))
		return
	case token.Subject != policy.Subject:
		wrong(http.StatusBadRequest, "invalid_request", fmt.Sprintf("no federation policy is for the subject %q", token.Subject))
		return
	}
	s.giveOut(w)
}

// giveOut answers with a new token of the workspace's.
func (s *Server) giveOut(w http.ResponseWriter) {
	token := "eyJ" + rand.Text()
	s.mu.Lock()
	s.forgetExpired()
	s.tokens[token] = credential{until: time.Now().Add(tokenLife)}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(tokenLife.Seconds()), "scope": "all-apis"})
}
