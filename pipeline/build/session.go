package build

import (
	"context"
	"fmt"

	"github.com/moby/buildkit/session/secrets"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// secretStore holds the build's secrets for the session. They are read before the build starts, so that a missing one
// is a mistake of the user's and not a failing step; from then on they are masked wherever output is shown.
type secretStore map[string][]byte

func readSecrets(refs map[string]secret.Ref) (secretStore, error) {
	store := secretStore{}
	for id, ref := range refs {
		value, err := ref.Read()
		if err != nil {
			return nil, fmt.Errorf("the build secret %q: %w", id, err)
		}
		store[id] = value
	}
	return store, nil
}

// GetSecret is for BuildKit's session.
func (s secretStore) GetSecret(_ context.Context, id string) ([]byte, error) {
	value, found := s[id]
	if !found {
		return nil, fmt.Errorf("the build was given no secret %q: %w", id, secrets.ErrNotFound)
	}
	return value, nil
}
