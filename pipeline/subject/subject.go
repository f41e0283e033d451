// Package subject holds the one way in which Hallmark names an image: by content.
//
// It knows nothing of registries, layouts or tags' meaning; every room may import it.
package subject

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Subject is one image by content: a repository and a digest. No step after the build takes a tag.
type Subject struct {
	// Repository is host/path, for example "registry.example.com/platform/spark", without tag or digest.
	Repository string `json:"repository"`
	// Digest is "sha256:" followed by 64 hexadecimal digits.
	Digest string `json:"digest"`
}

// New returns the subject for repository and digest, or an error that says which of the two is malformed.
func New(repository, digest string) (Subject, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return Subject{}, fmt.Errorf("repository %q is not host/path: %w", repository, err)
	}
	if _, err := v1.NewHash(digest); err != nil {
		return Subject{}, fmt.Errorf("digest %q is not sha256:<64 hexadecimal digits>: %w", digest, err)
	}
	return Subject{Repository: repo.Name(), Digest: digest}, nil
}

// String is the pullable reference, repository@digest.
func (s Subject) String() string { return s.Repository + "@" + s.Digest }

// Tagged is the reference of tag in the subject's repository.
func (s Subject) Tagged(tag string) string { return s.Repository + ":" + tag }

// DigestOf is the digest of data, as registries write it: "sha256:…".
func DigestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// SplitHost takes an image's name apart: the host of its registry, empty where the name says none, and the rest.
func SplitHost(image string) (host, path string) {
	host, path, found := strings.Cut(image, "/")
	if found && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return host, path
	}
	return "", image
}

// Short is the first twelve hexadecimal digits of the digest: for people and for staging tags.
func (s Subject) Short() string { return Short(s.Digest) }

// Short abbreviates any digest to the twelve hexadecimal digits that people read.
func Short(digest string) string {
	_, hex, found := strings.Cut(digest, ":")
	if !found {
		hex = digest
	}
	return hex[:min(len(hex), 12)]
}
