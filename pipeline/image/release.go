package image

import (
	"bytes"
	"strings"
)

// javaRelease keeps the release file of a Java home; other software has files of that name too.
func javaRelease(body []byte) ([]byte, []Package) {
	if !bytes.Contains(body, []byte("JAVA_VERSION=")) {
		return nil, nil
	}
	return body, nil
}

// variables reads lines of the form NAME=value, NAME="value" or NAME='value', as os-release(5) and Java's release files
// have them. Of two lines for one name the last counts.
func variables(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if !found || name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		values[name] = unquote(strings.TrimSpace(value))
	}
	return values
}

// unquote takes a shell value's quotes and backslashes away.
func unquote(value string) string {
	if len(value) >= 2 && value[0] == '\'' && value[len(value)-1] == '\'' {
		return value[1 : len(value)-1]
	}
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	if !strings.Contains(value, `\`) {
		return value
	}
	var out strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) && strings.IndexByte("\"'$`\\", value[i+1]) >= 0 {
			i++
		}
		out.WriteByte(value[i])
	}
	return out.String()
}

func osFacts(text string) OSFacts {
	v := variables(text)
	facts := OSFacts{
		ID: v["ID"], VersionID: v["VERSION_ID"], Codename: v["VERSION_CODENAME"], PrettyName: v["PRETTY_NAME"],
		IDLike: strings.Fields(v["ID_LIKE"]),
	}
	if facts.IDLike == nil {
		facts.IDLike = []string{}
	}
	return facts
}
