package emulator

import (
	"maps"
	"slices"
	"strings"
)

// levels are the permissions of each kind of object, the highest last.
var levels = map[string][]string{
	"clusters": {"CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"}, "instance-pools": {"CAN_ATTACH_TO", "CAN_MANAGE"}, "cluster-policies": {"CAN_USE"},
}

// objectTypes are the kinds as answers name them.
var objectTypes = map[string]string{"clusters": "cluster", "instance-pools": "instance-pool", "cluster-policies": "cluster-policy"}

// grantee is who has a permission: one of the three.
type grantee struct {
	User      string `json:"user_name,omitempty"`
	Group     string `json:"group_name,omitempty"`
	Principal string `json:"service_principal_name,omitempty"`
}

func (g grantee) String() string { return g.User + "\n" + g.Group + "\n" + g.Principal }

// grant is one entry of an access control list, as it is sent.
type grant struct {
	grantee
	Level string `json:"permission_level"`
}

// permitted says whether the object of a path is there; the lock is held.
func (s *Server) permitted(kind, id string) error {
	known := false
	switch kind {
	case "clusters":
		_, known = s.clusters[id]
	case "instance-pools":
		_, known = s.pools[id]
	case "cluster-policies":
		_, known = s.policies[id]
	default:
		return refuse(404, "ENDPOINT_NOT_FOUND", "the emulator keeps permissions of %s, not of %s", strings.Join(slices.Sorted(maps.Keys(levels)), ", "), kind)
	}
	if !known {
		return missing("%s with ID %s does not exist.", objectTypes[kind], id)
	}
	return nil
}

// permissions answers with the access control list of an object, changes it (PATCH), or gives it another one (PUT). The
// emulator has one user, who may everything: it keeps what it is told.
func (s *Server) permissions(r *request) (any, error) {
	kind, id := r.PathValue("kind"), r.PathValue("id")
	var asked struct {
		List []grant `json:"access_control_list"`
	}
	if r.Method != "GET" {
		if err := decode(r.body, &asked); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.permitted(kind, id); err != nil {
		return nil, err
	}
	for _, g := range asked.List {
		if named := slices.DeleteFunc([]string{g.User, g.Group, g.Principal}, func(name string) bool { return name == "" }); len(named) != 1 {
			return nil, invalid("Each entry of access_control_list must name exactly one of user_name, group_name and service_principal_name.")
		}
		if !slices.Contains(levels[kind], g.Level) {
			return nil, invalid("permission_level %s is none of %s.", g.Level, strings.Join(levels[kind], ", "))
		}
	}
	key := "/" + kind + "/" + id
	granted := maps.Clone(s.grants[key])
	if granted == nil || r.Method == "PUT" {
		granted = map[grantee]string{}
		if kind == "clusters" || kind == "instance-pools" { // whoever made it manages it, and cannot be kept from it
			granted[grantee{User: s.options.User}] = "CAN_MANAGE"
		}
	}
	for _, g := range asked.List {
		granted[g.grantee] = g.Level
	}
	s.grants[key] = granted
	return accessList(kind, key, granted), nil
}

// accessList is an object's list as the platform shows it, with what administrators have by themselves.
func accessList(kind, key string, granted map[grantee]string) any {
	type permission struct {
		Level     string   `json:"permission_level"`
		Inherited bool     `json:"inherited"`
		From      []string `json:"inherited_from_object,omitempty"`
	}
	type entry struct {
		grantee
		Display string       `json:"display_name,omitempty"`
		All     []permission `json:"all_permissions"`
	}
	all := []entry{}
	for _, who := range slices.SortedFunc(maps.Keys(granted), func(a, b grantee) int { return strings.Compare(a.String(), b.String()) }) {
		all = append(all, entry{who, who.User, []permission{{Level: granted[who]}}})
	}
	if highest := levels[kind][len(levels[kind])-1]; highest == "CAN_MANAGE" {
		all = append(all, entry{grantee{Group: "admins"}, "", []permission{{highest, true, []string{"/" + kind + "/"}}}})
	}
	return map[string]any{"object_id": key, "object_type": objectTypes[kind], "access_control_list": all}
}

// permissionLevels are those that an object can have.
func (s *Server) permissionLevels(r *request) (any, error) {
	kind := r.PathValue("kind")
	if err := s.permitted(kind, r.PathValue("id")); err != nil {
		return nil, err
	}
	all := []map[string]string{}
	for _, level := range levels[kind] {
		all = append(all, map[string]string{"permission_level": level, "description": strings.ToLower(strings.ReplaceAll(level, "_", " ")) + " " + objectTypes[kind]})
	}
	return map[string]any{"permission_levels": all}, nil
}
