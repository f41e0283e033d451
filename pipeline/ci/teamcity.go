package ci

import (
	"bufio"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// teamcity: https://www.jetbrains.com/help/teamcity/predefined-build-parameters.html. The environment has a little; the
// rest stands in the file that TEAMCITY_BUILD_PROPERTIES_FILE names, and in the one of configuration parameters that
// this one names.
func teamcity(e Env) Facts {
	properties := readProperties(e("TEAMCITY_BUILD_PROPERTIES_FILE"))
	configured := readProperties(properties["teamcity.configuration.properties.file"])
	get := func(names ...string) string {
		for _, name := range names {
			for _, from := range []map[string]string{configured, properties} {
				if value := from[name]; value != "" {
					return value
				}
			}
		}
		return ""
	}
	server := get("teamcity.serverUrl")
	f := Facts{
		Repository: webAddress(get("vcsroot.url")), Revision: e("BUILD_VCS_NUMBER"),
		Ref: get("teamcity.build.branch", "vcsroot.branch"), Actor: get("teamcity.build.triggeredBy.username"),
		PullRequest: get("teamcity.pullRequest.number"), Workspace: get("teamcity.build.checkoutDir"), Run: e("BUILD_URL"),
	}
	if id := get("teamcity.build.id"); server != "" && id != "" && f.Run == "" {
		f.Run = under(server, "viewLog.html?buildId="+url.QueryEscape(id))
	}
	if kind := get("system.teamcity.buildType.id", "teamcity.buildType.id"); server != "" && kind != "" {
		f.Builder = under(server, "buildConfiguration", url.PathEscape(kind))
	}
	f.Invocation = f.Run
	if f.PullRequest != "" {
		f.Event, f.Origin = "pull_request", Uncertain
	}
	return f
}

// maxProperties bounds a properties file; TeamCity's have some hundred lines.
const maxProperties = 4 << 20

// readProperties reads a Java properties file as TeamCity writes it. What cannot be read says nothing.
func readProperties(path string) map[string]string {
	values := map[string]string{}
	if path == "" {
		return values
	}
	file, err := os.Open(path)
	if err != nil {
		return values
	}
	defer file.Close()
	lines := bufio.NewScanner(io.LimitReader(file, maxProperties))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimLeft(lines.Text(), " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value := cutProperty(line)
		values[unescaped(key)] = unescaped(value)
	}
	return values
}

// cutProperty splits a line at the first =, : or blank that no backslash stands before.
func cutProperty(line string) (key, value string) {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '=', ':':
			return line[:i], strings.TrimLeft(line[i+1:], " \t")
		case ' ', '\t':
			rest := strings.TrimLeft(line[i:], " \t")
			if rest != "" && (rest[0] == '=' || rest[0] == ':') {
				rest = strings.TrimLeft(rest[1:], " \t")
			}
			return line[:i], rest
		}
	}
	return line, ""
}

// unescaped undoes the escapes of a properties file.
func unescaped(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'u':
			if i+5 <= len(text) {
				if code, err := strconv.ParseUint(text[i+1:i+5], 16, 16); err == nil {
					b.WriteRune(rune(code))
					i += 4
				}
			}
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}
