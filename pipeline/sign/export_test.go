package sign

import (
	"context"
	"crypto"
	"time"
)

func init() { askWait = 10 * time.Millisecond }

// Seal signs any bytes as a bundle, so that tests can forge what the package itself never makes.
func (s *Signer) Seal(ctx context.Context, payload []byte) ([]byte, error) {
	made, err := s.seal(ctx, payload)
	return made.bundle, err
}

// Expire makes the signer's certificate one that is about to end, as it is after ten minutes.
func (s *Signer) Expire() {
	s.keyless.mu.Lock()
	defer s.keyless.mu.Unlock()
	s.keyless.cert.NotAfter = time.Now().Add(margin / 2)
}

// Hurry makes the signer wait less for a log's answer.
func (s *Signer) Hurry(patience time.Duration) { s.keyless.patience = patience }

// FromKey makes a signer of any kind of key, as Load does of an imported one.
func FromKey(private crypto.PrivateKey) (*Signer, error) { return fromPrivate(private) }
