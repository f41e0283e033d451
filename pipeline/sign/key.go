package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// The PEM types under which cosign has kept encrypted private keys: the one that it writes now, and the older one.
const (
	pemSigstore = "ENCRYPTED SIGSTORE PRIVATE KEY"
	pemCosign   = "ENCRYPTED COSIGN PRIVATE KEY"
)

// NewKey makes an ECDSA P-256 key pair: the private key in cosign's format, encrypted with password, and the public
// key, both as PEM. An empty password is allowed, as with cosign, and protects nothing.
func NewKey(password []byte) (private, public []byte, err error) {
	const doing = "making a key: %w"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf(doing, err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf(doing, err)
	}
	sealed, err := encrypted.Encrypt(plain, password)
	if err != nil {
		return nil, nil, fmt.Errorf(doing, err)
	}
	public, err = cryptoutils.MarshalPublicKeyToPEM(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf(doing, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemSigstore, Bytes: sealed}), public, nil
}

// Ephemeral makes a signer whose key lives in memory only: for the demo and for tests. What it signed can be verified
// as long as somebody kept its PublicPEM.
func Ephemeral() (*Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return newSigner(key)
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
	if key == "keyless" {
		return nil, fmt.Errorf("%w: keyless signing is not supported yet; give file:PATH or env:NAME of an encrypted cosign key", verdict.ErrUsage)
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
func openKey(data, password []byte) (crypto.PrivateKey, error) {
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, fmt.Errorf("it is not PEM; is it the private key that `hallmark key new` or `cosign generate-key-pair` wrote?")
	case block.Type == "PUBLIC KEY":
		return nil, fmt.Errorf("it is a public key; signing takes the private one")
	case strings.HasSuffix(block.Type, "PRIVATE KEY") && block.Type != pemSigstore && block.Type != pemCosign:
		return nil, fmt.Errorf("it is a key of type %q, not an encrypted cosign key; `cosign import-key-pair` makes one of it", block.Type)
	case block.Type != pemSigstore && block.Type != pemCosign:
		return nil, fmt.Errorf("it holds %q, not an encrypted cosign key", block.Type)
	}
	plain, err := encrypted.Decrypt(block.Bytes, password)
	if err != nil {
		return nil, fmt.Errorf("it does not open with this password; give the right one with sign.password (%w)", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("what was decrypted is not a private key: %w", err)
	}
	return key, nil
}
