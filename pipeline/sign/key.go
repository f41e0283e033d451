package sign

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// NewKey makes an ECDSA P-256 key pair: the private key in cosign's format, encrypted with password, and the public
// key, both as PEM. An empty password is allowed, as with cosign, and protects nothing.
func NewKey(password []byte) (private, public []byte, err error) {
	pair, err := cosign.GenerateKeyPair(func(bool) ([]byte, error) { return password, nil })
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	return pair.PrivateBytes, pair.PublicBytes, nil
}

// Ephemeral makes a signer whose key lives in memory only: for the demo and for tests. What it signed can be verified
// as long as somebody kept its PublicPEM.
func Ephemeral() (*Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return fromPrivate(key)
}

// elsewhere are the schemes of keys that stay where they are and sign there.
var elsewhere = []string{"azurekms", "awskms", "gcpkms", "hashivault", "k8s", "pkcs11", "gitlab", "github"}

// Load opens the private key that key points to, an encrypted cosign key, with the password that password points to
// (the zero reference: an empty one). Opening takes about half a second, on purpose: do it once.
func Load(key, password secret.Ref) (*Signer, error) {
	if key == "" {
		return nil, fmt.Errorf("%w: no signing key is given; make one with `hallmark key new` and name it in sign.key", verdict.ErrUsage)
	}
	if scheme, _, found := strings.Cut(string(key), "://"); found {
		for _, known := range elsewhere {
			if scheme == known {
				return nil, fmt.Errorf("%w: keys at %s:// are not supported yet; give file:PATH or env:NAME of an encrypted cosign key", verdict.ErrUsage, scheme)
			}
		}
	}
	data, err := key.Read()
	if err != nil {
		return nil, err
	}
	var pass []byte
	if password != "" {
		if pass, err = password.Read(); err != nil {
			return nil, err
		}
	}
	private, err := openKey(data, pass)
	if err != nil {
		return nil, fmt.Errorf("%w: opening the signing key %s: %w", verdict.ErrUsage, key, err)
	}
	signer, err := newSigner(private)
	if err != nil {
		return nil, fmt.Errorf("%w: the signing key %s: %w", verdict.ErrUsage, key, err)
	}
	return signer, nil
}

// openKey decrypts a private key in cosign's format.
func openKey(data, password []byte) (signature.SignerVerifier, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, fmt.Errorf("it is not PEM; is it the private key that `hallmark key new` or `cosign generate-key-pair` wrote?")
	case block.Type == "PUBLIC KEY":
		return nil, fmt.Errorf("it is a public key; signing takes the private one")
	case strings.HasSuffix(block.Type, "PRIVATE KEY") && block.Type != cosign.SigstorePrivateKeyPemType && block.Type != cosign.CosignPrivateKeyPemType:
		return nil, fmt.Errorf("it is a key of type %q, not an encrypted cosign key; `cosign import-key-pair` makes one of it", block.Type)
	case block.Type != cosign.SigstorePrivateKeyPemType && block.Type != cosign.CosignPrivateKeyPemType:
		return nil, fmt.Errorf("it holds %q, not an encrypted cosign key", block.Type)
	}
	// No options: cosign's own would sign with Ed25519ph, which few verifiers know.
	key, err := cosign.LoadPrivateKey(data, password, &[]signature.LoadOption{})
	if err != nil {
		return nil, fmt.Errorf("it does not open with this password; give the right one with sign.password (%w)", err)
	}
	return key, nil
}
