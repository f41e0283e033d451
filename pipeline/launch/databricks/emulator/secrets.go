package emulator

import (
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"time"
)

// secretName is what scopes and keys may be called.
var secretName = regexp.MustCompile(`^[-\w.@]{1,128}$`)

// scope is one of secrets.
type scope struct {
	secrets map[string]secretValue
	acls    map[string]string // permissions by who has them
}

type secretValue struct {
	value []byte
	at    time.Time
}

type secretCall struct {
	Scope                  string         `json:"scope"`
	Key                    string         `json:"key,omitempty"`
	StringValue            *string        `json:"string_value,omitempty"`
	BytesValue             *string        `json:"bytes_value,omitempty"`
	InitialManagePrincipal string         `json:"initial_manage_principal,omitempty"`
	ScopeBackendType       string         `json:"scope_backend_type,omitempty"`
	BackendAzureKeyvault   map[string]any `json:"backend_azure_keyvault,omitempty"`
	Principal              string         `json:"principal,omitempty"`  // of acls
	Permission             string         `json:"permission,omitempty"` // of acls
}

func (s *Server) createScope(r *request) (any, error) {
	var asked secretCall
	if err := decode(r.body, &asked); err != nil {
		return nil, err
	}
	if !secretName.MatchString(asked.Scope) {
		return nil, invalid("Scope name %q is invalid: up to 128 letters, digits, dashes, underscores, dots and @.", asked.Scope)
	}
	if asked.ScopeBackendType != "" && asked.ScopeBackendType != "DATABRICKS" {
		return nil, invalid("The emulator has no scopes of the type %s.", asked.ScopeBackendType)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.scopes[asked.Scope]; there {
		return nil, refuse(400, "RESOURCE_ALREADY_EXISTS", "Scope %s already exists!", asked.Scope)
	}
	owner := s.options.User
	if asked.InitialManagePrincipal != "" {
		if asked.InitialManagePrincipal != "users" {
			return nil, invalid("initial_manage_principal can only be users, not %s.", asked.InitialManagePrincipal)
		}
		owner = "users"
	}
	s.scopes[asked.Scope] = &scope{secrets: map[string]secretValue{}, acls: map[string]string{owner: "MANAGE"}}
	return nil, nil
}

// scope is one that is there; the lock is held.
func (s *Server) scope(name string) (*scope, error) {
	found, there := s.scopes[name]
	if !there {
		return nil, missing("Scope %s does not exist!", name)
	}
	return found, nil
}

func (s *Server) deleteScope(r *request) (any, error) {
	var asked secretCall
	if err := decode(r.body, &asked); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.scope(asked.Scope); err != nil {
		return nil, err
	}
	delete(s.scopes, asked.Scope)
	return nil, nil
}

func (s *Server) listScopes(*request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.scopes)) {
		all = append(all, map[string]string{"name": name, "backend_type": "DATABRICKS"})
	}
	return map[string]any{"scopes": all}, nil
}

// mostSecret is the platform's limit of one value.
const mostSecret = 128 << 10

func (s *Server) putSecret(r *request) (any, error) {
	var asked secretCall
	if err := decode(r.body, &asked); err != nil {
		return nil, err
	}
	var value []byte
	switch {
	case (asked.StringValue == nil) == (asked.BytesValue == nil):
		return nil, invalid("Exactly one of string_value and bytes_value must be given.")
	case asked.StringValue != nil:
		value = []byte(*asked.StringValue)
	default:
		decoded, err := base64.StdEncoding.DecodeString(*asked.BytesValue)
		if err != nil {
			return nil, malformed("bytes_value is not base64")
		}
		value = decoded
	}
	if !secretName.MatchString(asked.Key) {
		return nil, invalid("The key of a secret must have up to 128 letters, digits, dashes, underscores, dots and @.")
	}
	if len(value) > mostSecret {
		return nil, invalid("A secret has at most %d bytes.", mostSecret)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	scope, err := s.scope(asked.Scope)
	if err != nil {
		return nil, err
	}
	scope.secrets[asked.Key] = secretValue{value, time.Now()}
	return nil, nil
}

func (s *Server) deleteSecret(r *request) (any, error) {
	var asked secretCall
	if err := decode(r.body, &asked); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	scope, err := s.scope(asked.Scope)
	if err != nil {
		return nil, err
	}
	if _, there := scope.secrets[asked.Key]; !there {
		return nil, missing("No Secret Scope exists with scope: %s and key: %s", asked.Scope, asked.Key)
	}
	delete(scope.secrets, asked.Key)
	return nil, nil
}

func (s *Server) getSecret(r *request) (any, error) {
	name, key := r.URL.Query().Get("scope"), r.URL.Query().Get("key")
	s.mu.Lock()
	defer s.mu.Unlock()
	scope, err := s.scope(name)
	if err != nil {
		return nil, err
	}
	secret, there := scope.secrets[key]
	if !there {
		return nil, missing("Secret does not exist with scope: %s and key: %s", name, key)
	}
	return map[string]string{"key": key, "value": base64.StdEncoding.EncodeToString(secret.value)}, nil
}

func (s *Server) listSecrets(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scope, err := s.scope(r.URL.Query().Get("scope"))
	if err != nil {
		return nil, err
	}
	all := []map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(scope.secrets)) {
		all = append(all, map[string]any{"key": key, "last_updated_timestamp": millis(scope.secrets[key].at)})
	}
	return map[string]any{"secrets": all}, nil
}

// secret is a value, if it is there; the lock is held.
func (s *Server) secret(scope, key string) ([]byte, bool) {
	in, there := s.scopes[scope]
	if !there {
		return nil, false
	}
	found, there := in.secrets[key]
	return found.value, there
}
