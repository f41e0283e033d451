package emulator

import (
	"encoding/base64"
	"maps"
	"net/http"
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

// secretAsked is what a call about secrets asks for, in its body or its query.
func secretAsked(r *request) (asked secretCall, err error) {
	if r.Method == http.MethodPost {
		return inBody[secretCall](r)
	}
	query := r.URL.Query()
	return secretCall{Scope: query.Get("scope"), Key: query.Get("key"), Principal: query.Get("principal")}, nil
}

// inScope does the work with the scope that the call names.
func (s *Server) inScope(work func(in *scope, asked secretCall) (any, error)) func(secretCall) (any, error) {
	return func(asked secretCall) (any, error) {
		in, err := s.scope(asked.Scope)
		if err != nil {
			return nil, err
		}
		return work(in, asked)
	}
}

func (s *Server) createScope(asked secretCall) (any, error) {
	if !secretName.MatchString(asked.Scope) {
		return nil, invalid("Scope name %q is invalid: up to 128 letters, digits, dashes, underscores, dots and @.", asked.Scope)
	}
	if asked.ScopeBackendType != "" && asked.ScopeBackendType != "DATABRICKS" {
		return nil, invalid("The emulator has no scopes of the type %s.", asked.ScopeBackendType)
	}
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

func (s *Server) deleteScope(_ *scope, asked secretCall) (any, error) {
	delete(s.scopes, asked.Scope)
	return nil, nil
}

func (s *Server) listScopes(*request) (any, error) {
	all := []map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.scopes)) {
		all = append(all, map[string]string{"name": name, "backend_type": "DATABRICKS"})
	}
	return map[string]any{"scopes": all}, nil
}

// mostSecret is the platform's limit of one value.
const mostSecret = 128 << 10

func (s *Server) putSecret(asked secretCall) (any, error) {
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
	scope, err := s.scope(asked.Scope)
	if err != nil {
		return nil, err
	}
	scope.secrets[asked.Key] = secretValue{value, time.Now()}
	return nil, nil
}

func (s *Server) deleteSecret(in *scope, asked secretCall) (any, error) {
	if _, there := in.secrets[asked.Key]; !there {
		return nil, missing("No Secret Scope exists with scope: %s and key: %s", asked.Scope, asked.Key)
	}
	delete(in.secrets, asked.Key)
	return nil, nil
}

func (s *Server) getSecret(in *scope, asked secretCall) (any, error) {
	secret, there := in.secrets[asked.Key]
	if !there {
		return nil, missing("Secret does not exist with scope: %s and key: %s", asked.Scope, asked.Key)
	}
	return map[string]string{"key": asked.Key, "value": base64.StdEncoding.EncodeToString(secret.value)}, nil
}

func (s *Server) listSecrets(in *scope, _ secretCall) (any, error) {
	all := []map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(in.secrets)) {
		all = append(all, map[string]any{"key": key, "last_updated_timestamp": millis(in.secrets[key].at)})
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
