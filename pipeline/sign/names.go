package sign

import (
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// checkSubject compares the image that something was said about with the one at hand.
func checkSubject(about, at subject.Subject, names []string) error {
	if about.Digest != at.Digest {
		return reject(CodeSubject, "it is about another image, %s", about.Short())
	}
	if !slices.Contains(names, about.Repository) {
		return reject(CodeRepository, "it is about the repository %s", clip(about.Repository))
	}
	return nil
}

// namesOf are the repositories under whose name evidence counts.
func namesOf(at subject.Subject, accepted []string) ([]string, error) {
	if len(accepted) == 0 {
		accepted = []string{at.Repository}
	}
	out := make([]string, len(accepted))
	for i, text := range accepted {
		repo, err := name.NewRepository(text)
		if err != nil {
			return nil, fmt.Errorf("the repository %q is not host/path: %w", text, err)
		}
		out[i] = repo.Name()
	}
	return out, nil
}
