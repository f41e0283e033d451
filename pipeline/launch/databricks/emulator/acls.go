package emulator

import (
	"maps"
	"slices"
)

// permissions of scopes.
var scopePermissions = []string{"READ", "WRITE", "MANAGE"}

// putACL lets somebody read, write or manage a scope. The emulator has one user, who may everything: it keeps what it is told.
func (s *Server) putACL(asked secretCall) (any, error) {
	if asked.Principal == "" {
		return nil, invalid("Missing required field: principal")
	}
	if !slices.Contains(scopePermissions, asked.Permission) {
		return nil, malformed("Could not parse request object: permission %q is none of READ, WRITE, MANAGE", asked.Permission)
	}
	in, err := s.scope(asked.Scope)
	if err != nil {
		return nil, err
	}
	in.acls[asked.Principal] = asked.Permission
	return nil, nil
}

func (s *Server) getACL(in *scope, asked secretCall) (any, error) {
	permission, there := in.acls[asked.Principal]
	if !there {
		return nil, missing("Failed to get secret acl for principal %s for scope %s.", asked.Principal, asked.Scope)
	}
	return map[string]string{"principal": asked.Principal, "permission": permission}, nil
}

func (s *Server) listACLs(in *scope, _ secretCall) (any, error) {
	all := []map[string]string{}
	for _, principal := range slices.Sorted(maps.Keys(in.acls)) {
		all = append(all, map[string]string{"principal": principal, "permission": in.acls[principal]})
	}
	return map[string]any{"items": all}, nil
}

func (s *Server) deleteACL(in *scope, asked secretCall) (any, error) {
	if _, there := in.acls[asked.Principal]; !there {
		return nil, missing("Failed to delete secret acl for principal %s for scope %s.", asked.Principal, asked.Scope)
	}
	delete(in.acls, asked.Principal)
	return nil, nil
}
