package sign

import "context"

// Seal signs any bytes as a bundle, so that tests can forge what the package itself never makes.
func (s *Signer) Seal(ctx context.Context, payload []byte) ([]byte, error) {
	made, err := s.seal(ctx, payload)
	return made.bundle, err
}
