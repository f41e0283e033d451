package image

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// masked stands in facts where a secret may have been.
const masked = "***"

// shapes are values that are secrets wherever they stand, and what they are.
var shapes = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----(?s:.*?-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|.*)`)},
	{"an AWS access key id", regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"a JSON web token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)},
	{"a GitHub token", regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})`)},
	{"a GitLab token", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"a Databricks token", regexp.MustCompile(`\bdapi[0-9a-f]{32}(?:-\d)?\b`)},
	{"a Slack token", regexp.MustCompile(`\bxox[abeprs]-[A-Za-z0-9-]{10,}`)},
	{"a Google API key", regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{"an npm token", regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36}\b`)},
	{"a PyPI token", regexp.MustCompile(`\bpypi-[A-Za-z0-9_-]{50,}`)},
	{"an Azure storage account key", regexp.MustCompile(`\bAccountKey=[A-Za-z0-9+/]{40,}={0,2}`)},
	{"a password in a URL", regexp.MustCompile(`\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"'$]*:[^\s/@"'$]+@`)},
}

// secretWords are the words of a variable's name that make its value a secret.
var secretWords = []string{"PASSWORD", "PASSWD", "PASSPHRASE", "PWD", "SECRET", "SECRETS", "TOKEN", "CREDENTIAL", "CREDENTIALS", "APIKEY"}

// harmlessEnds are last words that make a name speak about a secret rather than hold it.
var harmlessEnds = []string{
	"FILE", "PATH", "DIR", "URL", "URI", "ENDPOINT", "NAME", "USER", "LENGTH", "TTL", "EXPIRY", "EXPIRATION", "TIMEOUT",
	"ENABLED", "DISABLED", "TYPE", "HEADER", "REF", "VERSION", "ALGORITHM", "PREFIX", "STDIN", "SHA256", "FINGERPRINT", "STORE",
}

var (
	word        = regexp.MustCompile(`[A-Z]?[a-z0-9]+|[A-Z0-9]+`)
	harmless    = regexp.MustCompile(`(?i)^(?:true|false|yes|no|on|off|none|null|\d{1,5}|\$\w+|\$\{[^}]*\}|\*+|<[^>]*>|/\S*)$`)
	fingerprint = regexp.MustCompile(`^(?:0x)?[0-9A-Fa-f]{8}(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32})?$`)
)

// secretReason says why the variable's value looks like a secret; empty: it does not.
func secretReason(name, value string) string {
	for _, shape := range shapes {
		if shape.pattern.MatchString(value) {
			return "its value holds " + shape.what
		}
	}
	if value == "" || harmless.MatchString(value) {
		return ""
	}
	if word := secretWord(name, value); word != "" {
		return fmt.Sprintf("its name holds %s and its value is literal", word)
	}
	return ""
}

func secretWord(name, value string) string {
	words := word.FindAllString(name, -1)
	if len(words) == 0 {
		return ""
	}
	for i := range words {
		words[i] = strings.ToUpper(words[i])
	}
	last := words[len(words)-1]
	if slices.Contains(harmlessEnds, last) || slices.Contains(words, "PUBLIC") {
		return ""
	}
	for _, word := range words {
		// PWD alone and OLDPWD are the shell's working folders.
		if slices.Contains(secretWords, word) && (word != "PWD" || len(words) > 1) {
			return word
		}
	}
	if last == "KEY" && len(words) > 1 {
		// GPG_KEY in the official images of Python and others is the fingerprint of a release manager's public key.
		if fingerprint.MatchString(value) && (slices.Contains(words, "GPG") || slices.Contains(words, "PGP") || slices.Contains(words, "SIGNING")) {
			return ""
		}
		return "_KEY"
	}
	return ""
}

// assignment is NAME=value in a shell command, a build argument or an option.
var assignment = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_-]*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;&|"']+)`)

// option is --name value in a command.
var option = regexp.MustCompile(`--([A-Za-z][A-Za-z0-9_-]*)(\s+)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;&|"'-][^\s;&|"']*)`)

// maskAssignments masks what looks like a secret in a command, and says why the first one does; empty: none did.
func maskAssignments(text string) (string, string) {
	reason := ""
	note := func(why string) {
		if reason == "" {
			reason = why
		}
	}
	for _, shape := range shapes {
		if shape.pattern.MatchString(text) {
			note("it holds " + shape.what)
			text = shape.pattern.ReplaceAllString(text, masked)
		}
	}
	text = assignment.ReplaceAllStringFunc(text, func(found string) string {
		name, value, _ := strings.Cut(found, "=")
		if why := secretReason(strings.ReplaceAll(name, "-", "_"), unquote(value)); why != "" {
			note(fmt.Sprintf("it sets %s: %s", strings.TrimLeft(name, "-"), why))
			return name + "=" + masked
		}
		return found
	})
	text = option.ReplaceAllStringFunc(text, func(found string) string {
		parts := option.FindStringSubmatch(found)
		if why := secretReason(strings.ReplaceAll(parts[1], "-", "_"), unquote(parts[3])); why != "" {
			note(fmt.Sprintf("it gives --%s: %s", parts[1], why))
			return "--" + parts[1] + parts[2] + masked
		}
		return found
	})
	return text, reason
}

// maskText masks what is a secret by its shape.
func maskText(text string) string {
	for _, shape := range shapes {
		text = shape.pattern.ReplaceAllString(text, masked)
	}
	return text
}
