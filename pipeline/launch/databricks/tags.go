package databricks

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Tags that every cluster of Hallmark carries. Cleanup ends nothing that lacks the first of them.
const (
	TagRun      = "hallmark-run"
	TagOwner    = "hallmark-owner"
	TagDeadline = "hallmark-deadline" // RFC 3339, UTC
	TagSubject  = "hallmark-subject"  // the image's digest, shortened

	ownTags  = "hallmark-"
	classTag = "ResourceClass"
)

// subjectTag is how much of a digest a tag holds: every cloud's labels take 63 characters.
const subjectTag = 63

func (o *Options) checkTags() error {
	for _, key := range slices.Sorted(maps.Keys(o.Tags)) {
		switch {
		case strings.HasPrefix(strings.ToLower(key), ownTags), key == classTag:
			return fmt.Errorf("%w: the tag %q is one that Hallmark or the platform sets itself", verdict.ErrUsage, key)
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || utf8.RuneCountInString(o.Tags[key]) > maxTagValue:
			return fmt.Errorf("%w: the tag %q is longer than the platform takes: %d characters for the name, %d for the value", verdict.ErrUsage, key, maxTagKey, maxTagValue)
		}
	}
	if most := maxTags - 5; len(o.Tags) > most { // four of ours, and the class of a single node
		return fmt.Errorf("%w: %d tags are more than the platform takes: %d, besides those that Hallmark sets", verdict.ErrUsage, len(o.Tags), most)
	}
	return nil
}

// tagsFor are the tags of a cluster: the configured ones and ours.
func tagsFor(configured map[string]string, spec launch.Spec) map[string]string {
	tags := maps.Clone(configured)
	if tags == nil {
		tags = map[string]string{}
	}
	tags[TagRun] = tagText(spec.RunID)
	tags[TagOwner] = tagText(spec.Owner)
	tags[TagDeadline] = spec.Deadline.UTC().Format(time.RFC3339)
	digest := strings.ReplaceAll(spec.Subject.Digest, ":", "-")
	tags[TagSubject] = digest[:min(len(digest), subjectTag)]
	return tags
}

// tagText is text with only the characters that all clouds take in tags.
func tagText(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("+-=._:/@ ", r) {
			return r
		}
		return '_'
	}, text)
	return clean[:min(len(clean), maxTagValue)]
}
