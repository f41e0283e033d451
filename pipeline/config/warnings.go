package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Warnings are what works and had better be written otherwise, each with the line where it stands. They repeat no values.
func (c *Config) Warnings() []string {
	var all []string
	launches := c.workspaceLaunches()
	for _, at := range slices.Sorted(maps.Keys(launches)) {
		b := launches[at]
		if password := b.Credentials.Password; password != "" && !password.InWorkspace() {
			all = append(all, fmt.Sprintf("%s is the registry's password itself for the workspace: whoever may see the cluster can read it there. A reference {{secrets/SCOPE/KEY}} is better.",
				c.whereOf(at+".credentials.password")))
		}
		for field, values := range map[string]map[string]string{"env": b.Env, "spark_conf": b.SparkConf} {
			for _, name := range slices.Sorted(maps.Keys(values)) {
				if secretName.MatchString(name) && !harmlessValue.MatchString(values[name]) {
					all = append(all, fmt.Sprintf("%s looks like a secret that is written out: whoever may see this file or the cluster can read it. A reference {{secrets/SCOPE/KEY}} is better.",
						c.whereOf(fmt.Sprintf("%s.%s[%q]", at, field, name))))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

var (
	// secretName is how settings are called that hold secrets; Hadoop's names go on with the account that they are for.
	secretName = regexp.MustCompile(`(?i)(?:(?:^|[^a-z])(?:password|passwd|pwd|passphrase|secret|token)|api[._-]?key|access[._-]?key|account[._-]?key|secret[._-]?key)$|\.account\.key\.|\.client\.secret\.`)
	// harmlessValue is no secret, or a reference to one.
	harmlessValue = regexp.MustCompile(`(?i)^\s*(?:|true|false|yes|no|\d+|.*\{\{\s*secrets/.*|file:.*)\s*$`)
)

// whereOf is a field with its place.
func (c *Config) whereOf(path string) string {
	if origin := c.Origin(path); strings.Contains(origin, ":") {
		return path + " (" + origin + ")"
	}
	return path
}
