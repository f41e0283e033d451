package emulator

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rule is one entry of a policy's definition.
type rule struct {
	Type         string   `json:"type"`
	Value        any      `json:"value"`
	Values       []any    `json:"values"`
	Pattern      string   `json:"pattern"`
	MinValue     *float64 `json:"minValue"`
	MaxValue     *float64 `json:"maxValue"`
	DefaultValue any      `json:"defaultValue"`
	IsOptional   bool     `json:"isOptional"`
	Hidden       bool     `json:"hidden"`
}

// virtual are paths of policies that are no fields of a cluster. The emulator has no prices, so it cannot hold the first.
var virtual = map[string]string{"dbus_per_hour": "", "cluster_type": "all-purpose"}

// wrong says what is the matter with the rule itself; empty: nothing is.
func (r rule) wrong() string {
	switch r.Type {
	case "fixed":
		if r.Value == nil {
			return "a fixed rule needs a value"
		}
	case "allowlist", "blocklist":
		if len(r.Values) == 0 {
			return "an " + r.Type + " needs values"
		}
	case "regex":
		if _, err := regexp.Compile(r.Pattern); err != nil || r.Pattern == "" {
			return "a regex needs a pattern"
		}
	case "range":
		if r.MinValue == nil && r.MaxValue == nil {
			return "a range needs minValue or maxValue"
		}
	case "forbidden", "unlimited":
	default:
		return "the type " + strconv.Quote(r.Type) + " is none of fixed, forbidden, allowlist, blocklist, regex, range, unlimited"
	}
	return ""
}

// applyPolicy holds a specification to its policy, once what the policy fixes is filled in, and its defaults where the
// specification asks for them. The lock is held.
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
	fields, err := tree(c)
	if err != nil {
		return err
	}
	flat := flatten(fields)
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		value := rules[path].filled(c.ApplyPolicyDefaultValues)
		_, isVirtual := virtual[path]
		if _, given := flat[path]; given || value == nil || isVirtual || strings.Contains(path, "*") {
			continue
		}
		fill(fields, path, value)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	var filled spec
	if err := decode(text, &filled); err != nil {
		return invalid("The cluster policy %s sets what no cluster has: %v", p.Name, err)
	}
	*c = filled
	flat = flatten(fields)
	for _, path := range slices.Sorted(maps.Keys(rules)) {
		if why := rules[path].holds(path, flat); why != "" {
			return invalid("Validation failed for %s, %s", path, why)
		}
	}
	return nil
}

// filled is what stands in the place of a field that was left out; nil: nothing.
func (r rule) filled(defaults bool) any {
	switch {
	case r.Type == "fixed" && !r.IsOptional:
		return r.Value
	case defaults && r.Type != "forbidden":
		return r.DefaultValue
	}
	return nil
}

// holds looks at all fields that the path means: a * is any one part of it.
func (r rule) holds(path string, flat map[string]string) string {
	if value, isVirtual := virtual[path]; isVirtual {
		if value == "" {
			return ""
		}
		return r.violated(value, true)
	}
	if !strings.Contains(path, "*") {
		value, given := flat[path]
		return r.violated(value, given)
	}
	parts := strings.Split(regexp.QuoteMeta(path), `\*`)
	pattern := regexp.MustCompile("^" + strings.Join(parts, "[^.]+") + "$")
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		if !pattern.MatchString(name) {
			continue
		}
		if why := r.violated(flat[name], true); why != "" {
			return why
		}
	}
	return ""
}

// violated says how a value breaks the rule; empty: it does not. What a rule limits must be given, unless it is optional.
func (r rule) violated(value string, given bool) string {
	number, err := strconv.ParseFloat(value, 64)
	is := func(v any) bool { return plain(v) == value }
	switch {
	case r.Type == "forbidden":
		if given {
			return "the value must not be present"
		}
	case !given:
		if !r.IsOptional {
			return "the value must be present"
		}
	case r.Type == "fixed" && !is(r.Value):
		return "the value must be " + plain(r.Value) + " (is \"" + value + "\")"
	case r.Type == "allowlist" && !slices.ContainsFunc(r.Values, is):
		return "the value must be one of " + plain(r.Values) + " (is \"" + value + "\")"
	case r.Type == "blocklist" && slices.ContainsFunc(r.Values, is):
		return "the value must not be one of " + plain(r.Values)
	case r.Type == "regex" && !regexp.MustCompile("^(?:"+r.Pattern+")$").MatchString(value):
		return "the value must match the regex " + r.Pattern + " (is \"" + value + "\")"
	case r.Type == "range" && (err != nil || r.MinValue != nil && number < *r.MinValue || r.MaxValue != nil && number > *r.MaxValue):
		return "the value is out of range (is \"" + value + "\")"
	}
	return ""
}

// plain is a value as policies compare it.
func plain(v any) string {
	if text, isText := v.(string); isText {
		return text
	}
	encoded, _ := json.Marshal(v)
	return string(encoded)
}

// flatten writes a specification as policies name its fields: docker_image.url, custom_tags.team.
func flatten(fields map[string]any) map[string]string {
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
		default:
			flat[prefix] = plain(value)
		}
	}
	walk("", fields)
	return flat
}

// fill sets the field of a path. What stands in spark_conf, spark_env_vars and custom_tags may have dots in its name.
func fill(fields map[string]any, path string, value any) {
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		fields[first] = value
		return
	}
	inner, _ := fields[first].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
	}
	fields[first] = inner
	if first == "spark_conf" || first == "spark_env_vars" || first == "custom_tags" {
		inner[rest] = plain(value)
		return
	}
	fill(inner, rest, value)
}
