package image

import (
	"path"
	"regexp"
	"strings"
)

// profiles are the files in a home folder that shells read.
var profiles = map[string]bool{
	".profile": true, ".bash_profile": true, ".bash_login": true, ".bashrc": true, ".zshenv": true, ".zprofile": true,
}

// loginProfiles are those that a login of shell reads, in order: of each group the first that is there.
func loginProfiles(shell string) [][]string {
	switch path.Base(shell) {
	case "bash":
		return [][]string{{".bash_profile", ".bash_login", ".profile"}, {".bashrc"}} // profiles read .bashrc by custom
	case "zsh":
		return [][]string{{".zshenv"}, {".zprofile"}}
	default:
		return [][]string{{".profile"}}
	}
}

var pathAssignment = regexp.MustCompile(`^\s*(?:[^#]*?[;&]\s*)?(?:export\s+)?(PATH|[A-Z][A-Z0-9_]*_HOME)=(.*)$`)

// pathAssignments keeps of a profile only the lines that set PATH or a home that PATH may name: the rest may be secret.
func pathAssignments(body []byte) ([]byte, []Package) {
	var out strings.Builder
	for line := range strings.Lines(string(body)) {
		if found := pathAssignment.FindStringSubmatch(strings.TrimRight(line, "\r\n")); found != nil {
			out.WriteString(found[1] + "=" + maskText(shellValue(found[2])) + "\n")
		}
	}
	return []byte(out.String()), nil
}

// shellValue cuts the value off where the shell would, and drops double quotes. What single quotes keep from being
// expanded is expanded all the same: no PATH relies on that. Commands in $(…) and `…` are left for expand to refuse.
func shellValue(text string) string {
	var out strings.Builder
	quote, command := byte(0), 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '(' && i > 0 && (text[i-1] == '$' || command > 0):
			command++
			out.WriteByte(c)
		case c == ')' && command > 0:
			command--
			out.WriteByte(c)
		case command > 0:
			out.WriteByte(c)
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && strings.IndexByte(" \t;&|#)", c) >= 0:
			return out.String()
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			out.WriteByte(text[i])
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// expand replaces $NAME, ${NAME} and a leading ~ by what env says; ok is false where it does not say.
func expand(text string, env map[string]string) (_ string, ok bool) {
	if text == "~" || strings.HasPrefix(text, "~/") {
		text = "$HOME" + text[1:]
	}
	ok = true
	expanded := variable.ReplaceAllStringFunc(text, func(found string) string {
		value, known := env[strings.Trim(found, "${}")]
		ok = ok && known
		return value
	})
	return expanded, ok && len(expanded) <= longestValue && !strings.ContainsAny(expanded, "$`")
}

// longestValue bounds what variables grow to that are made of each other, line after line.
const longestValue = 64 << 10

// mostFolders bounds the folders of a PATH.
const mostFolders = 1024

var variable = regexp.MustCompile(`\$(?:[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})`)

// setPath applies the assignments that pathAssignments kept to env, and says whether PATH was among them. A folder of
// PATH that cannot be known without running the profile is left out.
func setPath(kept string, env map[string]string) (set bool) {
	for line := range strings.Lines(kept) {
		name, value, found := strings.Cut(strings.TrimRight(line, "\n"), "=")
		if !found {
			continue
		}
		if name != "PATH" {
			if expanded, ok := expand(value, env); ok {
				env[name] = expanded
			}
			continue
		}
		var whole strings.Builder
		for folder := range strings.SplitSeq(value, ":") {
			if expanded, ok := expand(folder, env); ok && whole.Len() < longestValue {
				whole.WriteString(expanded + ":")
			}
		}
		env["PATH"], set = strings.Join(splitPath(whole.String()), ":"), true
	}
	return set
}

// splitPath splits a PATH into folders, each once: a later mention changes nothing.
func splitPath(text string) []string {
	folders, seen := []string{}, map[string]bool{}
	for folder := range strings.SplitSeq(text, ":") {
		if folder != "" && !seen[folder] && len(folders) < mostFolders {
			seen[folder] = true
			folders = append(folders, folder)
		}
	}
	return folders
}
