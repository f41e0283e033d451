package emulator

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// policy is a cluster policy. Of its definition the emulator holds what decides a cluster of ours: fixed, forbidden, and
// values that are allowed.
type policy struct {
	PolicyID   string `json:"policy_id"`
	Name       string `json:"name"`
	Definition string `json:"definition"`
	IsDefault  bool   `json:"is_default,omitempty"`
	CreatedAt  int64  `json:"created_at_timestamp,omitempty"`
}

func defaultPolicies() map[string]policy {
	personal := policy{PolicyID: "0000000000000001", Name: "Personal Compute", Definition: `{"autotermination_minutes": {"type": "unlimited"}}`, IsDefault: true}
	return map[string]policy{personal.PolicyID: personal}
}

// rule is one entry of a policy's definition.
type rule struct {
	Type         string   `json:"type"`
	Value        any      `json:"value"`
	Values       []any    `json:"values"`
	MinValue     *float64 `json:"minValue"`
	MaxValue     *float64 `json:"maxValue"`
	DefaultValue any      `json:"defaultValue"`
	IsOptional   bool     `json:"isOptional"`
	Hidden       bool     `json:"hidden"`
}

// applyPolicy holds a specification to its policy; the lock is held.
func (s *Server) applyPolicy(c *spec) error {
	if c.PolicyID == "" {
		return nil
	}
	p, known := s.policies[c.PolicyID]
	if !known {
		return invalid("Can't find a cluster policy with id: %s.", c.PolicyID)
	}
	var rules map[string]rule
	if err := json.Unmarshal([]byte(p.Definition), &rules); err != nil {
		return invalid("The definition of the cluster policy %s is not valid: %v", p.Name, err)
	}
	flat, err := flatten(c)
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		value, given := flat[path]
		if why := rules[path].violated(value, given); why != "" {
			return invalid("Validation failed for %s, %s", path, why)
		}
	}
	return nil
}

// violated says how a value breaks the rule; empty: it does not.
func (r rule) violated(value string, given bool) string {
	text := func(v any) string {
		encoded, _ := json.Marshal(v)
		return strings.Trim(string(encoded), `"`)
	}
	number, err := strconv.ParseFloat(value, 64)
	switch {
	case r.Type == "fixed" && given && value != text(r.Value):
		return "the value must be " + text(r.Value) + " (is \"" + value + "\")"
	case r.Type == "fixed" && !given && !r.IsOptional:
		return "the value must be present and " + text(r.Value)
	case r.Type == "forbidden" && given:
		return "the value must not be present"
	case r.Type == "allowlist" && given && !slices.ContainsFunc(r.Values, func(v any) bool { return text(v) == value }):
		return "the value must be one of " + text(r.Values)
	case r.Type == "blocklist" && given && slices.ContainsFunc(r.Values, func(v any) bool { return text(v) == value }):
		return "the value must not be one of " + text(r.Values)
	case r.Type == "range" && given && (err != nil || r.MinValue != nil && number < *r.MinValue || r.MaxValue != nil && number > *r.MaxValue):
		return "the value is out of range (is \"" + value + "\")"
	}
	return ""
}

// flatten writes a specification as policies name its fields: docker_image.url, custom_tags.team.
func flatten(c *spec) (map[string]string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	flat := map[string]string{}
	var walk func(prefix string, value any)
	walk = func(prefix string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range value {
				walk(strings.TrimPrefix(prefix+"."+key, "."), inner)
			}
		case []any:
			for i, inner := range value {
				walk(prefix+"."+strconv.Itoa(i), inner)
			}
		case string:
			flat[prefix] = value
		default:
			encoded, _ := json.Marshal(value)
			flat[prefix] = string(encoded)
		}
	}
	walk("", tree)
	return flat, nil
}

func (s *Server) createPolicy(r *request) (any, error) {
	var asked struct {
		Name       string `json:"name"`
		Definition string `json:"definition"`
	}
	if err := decode(r.body, &asked); err != nil {
		return nil, err
	}
	var rules map[string]rule
	if err := json.Unmarshal([]byte(asked.Definition), &rules); err != nil {
		return nil, invalid("The definition is not valid: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := policy{PolicyID: strings.ReplaceAll(requestID(), "-", "")[:16], Name: asked.Name, Definition: asked.Definition}
	s.policies[p.PolicyID] = p
	return map[string]string{"policy_id": p.PolicyID}, nil
}

func (s *Server) getPolicy(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.URL.Query().Get("policy_id")
	p, known := s.policies[id]
	if !known {
		return nil, missing("Can't find a cluster policy with id: %s.", id)
	}
	return p, nil
}

func (s *Server) listPolicies(*request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
