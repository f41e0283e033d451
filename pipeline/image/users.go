package image

import (
	"strconv"
	"strings"
)

// States of a password, as UserFact.Password has them.
const (
	passwordNone   = "none"
	passwordLocked = "locked"
	passwordEmpty  = "empty"
	passwordSet    = "set"
)

// passwordState reads the password field of passwd(5) or shadow(5). "x" in passwd means: see shadow.
func passwordState(field string) string {
	switch {
	case field == "":
		return passwordEmpty
	case field == "x":
		return passwordNone
	case field[0] == '!' || field[0] == '*':
		return passwordLocked
	default:
		return passwordSet
	}
}

// withoutHashes keeps passwd or group, with the state of the password in the place of what old systems put there: its
// hash.
func withoutHashes(body []byte) ([]byte, []Package) {
	return rewriteAccounts(body, func(fields []string) []string {
		fields[1] = passwordState(fields[1])
		return fields
	}), nil
}

// shadowStates keeps of shadow only who has what kind of password.
func shadowStates(body []byte) ([]byte, []Package) {
	return rewriteAccounts(body, func(fields []string) []string {
		return []string{fields[0], passwordState(fields[1])}
	}), nil
}

func rewriteAccounts(body []byte, rewrite func([]string) []string) []byte {
	var out strings.Builder
	for line := range strings.Lines(string(body)) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(fields) < 2 || fields[0] == "" || strings.HasPrefix(fields[0], "#") {
			continue
		}
		out.WriteString(strings.Join(rewrite(fields), ":") + "\n")
	}
	return []byte(out.String())
}

// parseUsers reads passwd and shadow as withoutHashes and shadowStates kept them. Lines that are not a user's are
// passed over, as the C library does; of two lines for one name the first counts.
func parseUsers(passwd, shadow string) []UserFact {
	states := map[string]string{}
	for fields := range accounts(shadow, 2) {
		if _, known := states[fields[0]]; !known {
			states[fields[0]] = fields[1]
		}
	}
	users, seen := []UserFact{}, map[string]bool{}
	for fields := range accounts(passwd, 7) {
		uid, errUID := parseID(fields[2])
		gid, errGID := parseID(fields[3])
		if errUID != nil || errGID != nil || seen[fields[0]] {
			continue
		}
		seen[fields[0]] = true
		state := fields[1]
		if inShadow, ok := states[fields[0]]; ok && state == passwordNone {
			state = inShadow
		}
		users = append(users, UserFact{
			Name: fields[0], UID: uid, GID: gid, Home: fields[5], Shell: fields[6],
			Locked: state == passwordLocked, Password: state,
		})
	}
	return users
}

// parseGroups reads group as withoutHashes kept it.
func parseGroups(group string) []GroupFact {
	groups, seen := []GroupFact{}, map[string]bool{}
	for fields := range accounts(group, 4) {
		gid, err := parseID(fields[2])
		if err != nil || seen[fields[0]] {
			continue
		}
		seen[fields[0]] = true
		members := []string{}
		for member := range strings.SplitSeq(fields[3], ",") {
			if member = strings.TrimSpace(member); member != "" {
				members = append(members, member)
			}
		}
		groups = append(groups, GroupFact{Name: fields[0], GID: gid, Members: members})
	}
	return groups
}

// accounts iterates over the lines of text that have at least want fields.
func accounts(text string, want int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(text) {
			fields := strings.Split(strings.TrimRight(line, "\n"), ":")
			if len(fields) >= want && !yield(fields) {
				return
			}
		}
	}
}

func parseID(text string) (int64, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	return int64(id), err
}
