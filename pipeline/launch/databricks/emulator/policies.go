package emulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// policy is a cluster policy, as policies/clusters/get shows it.
type policy struct {
	PolicyID   string    `json:"policy_id"`
	Name       string    `json:"name"`
	Definition string    `json:"definition"`
	About      string    `json:"description,omitempty"`
	MostOfUser int       `json:"max_clusters_per_user,omitempty"`
	Libraries  []library `json:"libraries,omitempty"`
	Creator    string    `json:"creator_user_name,omitempty"`
	IsDefault  bool      `json:"is_default,omitempty"`
	CreatedAt  int64     `json:"created_at_timestamp,omitempty"`
}

func defaultPolicies() map[string]policy {
	personal := policy{
		PolicyID: "0000000000000001", Name: "Personal Compute", IsDefault: true,
		Definition: `{"autotermination_minutes": {"type": "unlimited", "defaultValue": 4320, "isOptional": true}}`,
	}
	return map[string]policy{personal.PolicyID: personal}
}

// policyCall is what policies/clusters/create and edit take.
type policyCall struct {
	PolicyID   string    `json:"policy_id,omitempty"` // of edit
	Name       string    `json:"name"`
	Definition string    `json:"definition,omitempty"`
	About      string    `json:"description,omitempty"`
	MostOfUser int       `json:"max_clusters_per_user,omitempty"`
	Libraries  []library `json:"libraries,omitempty"`
	Family     string    `json:"policy_family_id,omitempty"`
	Overrides  string    `json:"policy_family_definition_overrides,omitempty"`
}

// policyAsked reads and looks at a policy.
func policyAsked(r *request) (policyCall, error) {
	asked, err := inBody[policyCall](r)
	if err != nil {
		return asked, err
	}
	switch {
	case asked.Name == "" || len(asked.Name) > 100:
		return asked, invalid("The name of a cluster policy must have 1 to 100 characters, got %d.", len(asked.Name))
	case asked.Family != "" || asked.Overrides != "":
		return asked, invalid("The emulator has no policy families: give the definition.")
	case asked.MostOfUser < 0:
		return asked, invalid("max_clusters_per_user must not be negative.")
	}
	if asked.Definition == "" {
		asked.Definition = "{}"
	}
	var rules map[string]rule
	if err := json.Unmarshal([]byte(asked.Definition), &rules); err != nil {
		return asked, invalid("The definition is not valid: %v", err)
	}
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		if why := rules[path].wrong(); why != "" {
			return asked, invalid("The definition is not valid: %s: %s", path, why)
		}
	}
	for _, l := range asked.Libraries {
		if err := l.check(); err != nil {
			return asked, err
		}
	}
	return asked, nil
}

// nameIsFree says whether no other policy has the name; the lock is held.
func (s *Server) nameIsFree(asked policyCall) error {
	for id, other := range s.policies {
		if other.Name == asked.Name && id != asked.PolicyID {
			return invalid("Cluster policy name %s is already in use.", asked.Name)
		}
	}
	return nil
}

func (s *Server) createPolicy(asked policyCall) (any, error) {
	if err := s.nameIsFree(asked); err != nil {
		return nil, err
	}
	if asked.PolicyID != "" {
		return nil, malformed("Could not parse request object: unknown field \"policy_id\"")
	}
	p := policy{
		PolicyID: newPolicyID(), Name: asked.Name, Definition: asked.Definition, About: asked.About, MostOfUser: asked.MostOfUser,
		Libraries: asked.Libraries, Creator: s.options.User, CreatedAt: time.Now().UnixMilli(),
	}
	s.policies[p.PolicyID] = p
	return map[string]string{"policy_id": p.PolicyID}, nil
}

// editPolicy gives the policy another name and definition. Clusters that use it are held to them with their next edit.
func (s *Server) editPolicy(asked policyCall) (any, error) {
	if err := s.nameIsFree(asked); err != nil {
		return nil, err
	}
	p, err := s.policy(asked.PolicyID)
	if err != nil {
		return nil, err
	}
	p.Name, p.Definition, p.About, p.MostOfUser, p.Libraries = asked.Name, asked.Definition, asked.About, asked.MostOfUser, asked.Libraries
	s.policies[p.PolicyID] = p
	return nil, nil
}

// policy is one that is there; the lock is held.
func (s *Server) policy(id string) (policy, error) {
	p, known := s.policies[id]
	if !known {
		return policy{}, missing("Can't find a cluster policy with id: %s.", id)
	}
	return p, nil
}

// onlyPolicy is the body of policies/clusters/delete.
type onlyPolicy struct {
	PolicyID string `json:"policy_id"`
}

func (s *Server) deletePolicy(asked onlyPolicy) (any, error) {
	p, err := s.policy(asked.PolicyID)
	if err != nil {
		return nil, err
	}
	if p.IsDefault {
		return nil, invalid("The default policy %s cannot be deleted.", p.Name)
	}
	delete(s.policies, p.PolicyID)
	return nil, nil
}

func (s *Server) listPolicies(*request) (any, error) {
	all := inOrder(s.policies)
	return map[string]any{"policies": all, "total_count": len(all)}, nil
}

// inOrder are the values of a map, by their keys.
func inOrder[T any](m map[string]T) []T {
	all := make([]T, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[key])
	}
	return all
}

func newPolicyID() string { return strings.ToUpper(strings.ReplaceAll(requestID(), "-", "")[:16]) }
