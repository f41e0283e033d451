package evidence

import (
	"maps"
	"regexp"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

const mask = "***"

// secretName matches names of build arguments whose values nobody should publish. A build argument is the wrong
// place for a secret (image history keeps it), but evidence must not spread the mistake.
var secretName = regexp.MustCompile(`(?i)(passw|passphrase|secret|token|credential|api_?key|access_?key|private_?key|auth)`)

func maskedArgs(args map[string]string) map[string]string {
	masked := maps.Clone(args)
	for name, value := range masked {
		if value != "" && secretName.MatchString(name) {
			masked[name] = mask
			continue
		}
		masked[name] = publicText(withoutUser(value))
	}
	return masked
}

var userInfo = regexp.MustCompile(`://[^/@\s]+@`)

// withoutUser masks user and password in every URL of text.
func withoutUser(text string) string { return userInfo.ReplaceAllString(text, "://"+mask+"@") }

// publicText is text of the image or of its surroundings, made fit to be published: valid, bounded, no secrets.
func publicText(text string) string { return foreign.Bound(secret.Redact(text), 2000) }

// clip is foreign text that a message or a table repeats.
func clip(text string) string { return foreign.Short(text, 80) }
