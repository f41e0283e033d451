package image

import (
	"slices"
	"strings"
)

// account is who the container runs as; uid and gid are -1 where the image does not say.
type account struct {
	name        string
	uid, gid    int64
	groups      []int64
	home, shell string
}

// accountOf reads USER: "name", "uid", with ":group" or ":gid" after it; empty is root.
// https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md#properties
func accountOf(user string, users []UserFact, groups []GroupFact) account {
	name, group, hasGroup := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	who := account{name: name, uid: -1, gid: -1}
	number, errNumber := parseID(name)
	if errNumber == nil {
		who.uid, who.gid = number, 0
	}
	at := slices.IndexFunc(users, func(u UserFact) bool { return u.Name == name })
	if at < 0 && errNumber == nil {
		at = slices.IndexFunc(users, func(u UserFact) bool { return u.UID == number })
	}
	if at >= 0 {
		u := users[at]
		who = account{name: u.Name, uid: u.UID, gid: u.GID, home: u.Home, shell: u.Shell}
	}
	for _, g := range groups {
		if slices.Contains(g.Members, who.name) {
			who.groups = append(who.groups, g.GID)
		}
		if hasGroup && g.Name == group {
			who.gid = g.GID
		}
	}
	if gid, err := parseID(group); hasGroup && err == nil {
		who.gid = gid
	}
	if who.home == "" && who.uid == 0 {
		who.home = "/root"
	}
	return who
}

// mayExecute says whether the account may run the file, or pass through the folder. Where the image does not say who
// it is, anyone's right to do so counts.
func (a account) mayExecute(entry Entry) bool {
	switch {
	case a.uid == 0:
		return entry.Mode&0o111 != 0 || entry.Type == Directory
	case a.uid < 0:
		return entry.Mode&0o111 != 0
	case int64(entry.UID) == a.uid:
		return entry.Mode&0o100 != 0
	case int64(entry.GID) == a.gid || slices.Contains(a.groups, int64(entry.GID)):
		return entry.Mode&0o010 != 0
	default:
		return entry.Mode&0o001 != 0
	}
}
