package sign

import (
	"context"
	"crypto"
)

// Seal signs any bytes as a bundle, so that tests can forge what the package itself never makes.
func (s *Signer) Seal(ctx context.Context, payload []byte) ([]byte, error) {
	made, err := s.seal(ctx, payload)
	return made.bundle, err
}

// FromKey makes a signer of any kind of key, as Load does of an imported one.
func FromKey(private crypto.PrivateKey) (*Signer, error) { return fromPrivate(private) }
