package databricks

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

// imageURL is one way to name the image to the platform.
type imageURL struct {
	text   string
	digest bool // it names the digest, so that nothing else can be pulled
	trial  bool // nobody knows whether the platform takes it
}

// imageURLs are the ways to try, in their order. No document says whether docker_image.url takes a digest: it is tried
// once, and the workspace's answer is remembered.
func imageURLs(o Options, spec launch.Spec, host string) []imageURL {
	byTag := imageURL{text: o.Tag}
	byDigest := imageURL{text: spec.Subject.String(), digest: true}
	switch taken, known := recall(o.Memory, host); {
	case !known:
		byDigest.trial = true
		return []imageURL{byDigest, byTag}
	case taken:
		return []imageURL{byDigest}
	default:
		return []imageURL{byTag}
	}
}

// answers are what workspaces have been found to take, by host.
type answers map[string]struct {
	DigestURL bool `json:"digest_url"`
}

func recall(file, host string) (taken, known bool) {
	answer, known := readAnswers(file)[host]
	return answer.DigestURL, known
}

func readAnswers(file string) answers {
	all := answers{}
	if body, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(body, &all) // what cannot be read is asked again
	}
	return all
}

// remember keeps a workspace's answer. That it cannot be kept costs a trial, and no more.
func remember(file, host string, taken bool) {
	if file == "" {
		return
	}
	all := readAnswers(file)
	answer := all[host]
	answer.DigestURL = taken
	all[host] = answer
	body, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return
	}
	_ = lock.Write(file, 0o644, append(body, '\n'))
}

// form is what is said of a reference that is not written as it should be. An "exec format error" is another matter.
var form = regexp.MustCompile(`(?i)\breference\b|\bdigests?\b|\b(?:invalid|malformed|unsupported|wrong|bad)\b.*\b(?:format|url)\b|\bformat of\b`)

// aboutForm says whether a refusal is about how the image's URL is written.
func aboutForm(message string) bool { return form.MatchString(message) }

// aboutSingleNode says whether a refusal is about the newer way to a single node.
func aboutSingleNode(message string) bool {
	lower := strings.ToLower(message)
	return strings.Contains(lower, "is_single_node") || strings.Contains(lower, "kind")
}
