package emulator

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

// credential is a token that is let in.
type credential struct {
	id, comment string // of a personal access token that was asked for; else empty
	made        time.Time
	until       time.Time // zero: for ever
}

// mostTokens is the platform's limit for one user.
const mostTokens = 600

// info is a token as it is listed, without its value.
func (c credential) info() map[string]any {
	expiry := int64(-1)
	if !c.until.IsZero() {
		expiry = millis(c.until)
	}
	return map[string]any{"token_id": c.id, "comment": c.comment, "creation_time": millis(c.made), "expiry_time": expiry}
}

// tokenCall is what token/create takes.
type tokenCall struct {
	Comment  string   `json:"comment,omitempty"`
	Lifetime int64    `json:"lifetime_seconds,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
}

// createToken makes a personal access token.
func (s *Server) createToken(asked tokenCall) (any, error) {
	if asked.Lifetime < 0 || asked.Lifetime > 10*365*24*3600 {
		return nil, invalid("lifetime_seconds %d is no lifetime of a token.", asked.Lifetime)
	}
	s.forgetExpired()
	if len(s.tokens) >= mostTokens {
		return nil, refuse(400, "QUOTA_EXCEEDED", "The user %s has %d tokens already.", s.options.User, mostTokens)
	}
	value := "dapi" + strings.ToLower(rand.Text())
	c := credential{id: strings.ReplaceAll(requestID()+requestID(), "-", ""), comment: asked.Comment, made: time.Now()}
	if asked.Lifetime > 0 {
		c.until = c.made.Add(time.Duration(asked.Lifetime) * time.Second)
	}
	s.tokens[value] = c
	return map[string]any{"token_value": value, "token_info": c.info()}, nil
}

// forgetExpired keeps the tokens few; the lock is held.
func (s *Server) forgetExpired() {
	for value, c := range s.tokens {
		if !c.until.IsZero() && time.Since(c.until) > tokenLife { // until then its bearer is told that it has expired
			delete(s.tokens, value)
		}
	}
}

func (s *Server) listTokens(*request) (any, error) {
	all := []map[string]any{}
	for _, c := range s.tokens {
		if c.id != "" {
			all = append(all, c.info())
		}
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(a["token_id"].(string), b["token_id"].(string)) })
	return map[string]any{"token_infos": all}, nil
}

// onlyToken is the body of token/delete.
type onlyToken struct {
	TokenID string `json:"token_id"`
}

func (s *Server) deleteToken(asked onlyToken) (any, error) {
	for value, c := range s.tokens {
		if c.id != "" && c.id == asked.TokenID {
			delete(s.tokens, value)
			return nil, nil
		}
	}
	return nil, missing("Token with id %s does not exist.", asked.TokenID)
}
