package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"sync"

	commonv1 "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	sigoptions "github.com/sigstore/sigstore/pkg/signature/options"
)

// Signer holds an opened key, or has keys of minutes certified for whoever runs it. It is safe for concurrent use.
type Signer struct {
	keyless *keyless // nil where there is a key

	key      signature.SignerVerifier
	public   crypto.PublicKey
	pem      []byte
	identity identity
	details  signature.AlgorithmDetails
	own      circle // what the signer itself made verifies with this

	tags sync.Map // tag reference -> *sync.Mutex: one rewrite of a tag at a time
}

// fromPrivate makes a signer of a key in memory.
func fromPrivate(private crypto.PrivateKey) (*Signer, error) {
	key, err := signature.LoadDefaultSignerVerifier(private)
	if err != nil {
		return nil, fmt.Errorf("preparing the signing key: %w", err)
	}
	return newSigner(key)
}

func newSigner(key signature.SignerVerifier) (*Signer, error) {
	const doing = "preparing the signing key: %w"
	public, err := key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf(doing, err)
	}
	details, err := signature.GetDefaultAlgorithmDetails(public)
	if err != nil {
		return nil, fmt.Errorf(doing, err)
	}
	encoded, err := cryptoutils.MarshalPublicKeyToPEM(public)
	if err != nil {
		return nil, fmt.Errorf(doing, err)
	}
	own, err := trust(public)
	if err != nil {
		return nil, fmt.Errorf(doing, err)
	}
	return &Signer{key: key, public: public, pem: encoded, identity: own.keys[0].identity, details: details, own: own}, nil
}

// PublicPEM is the public key that verifies what the signer signs; nil where it signs without one.
func (s *Signer) PublicPEM() []byte { return bytes.Clone(s.pem) }

// Identity is whom the signer's certificates are for; false where it has a key.
func (s *Signer) Identity() (who Identity, keyless bool) {
	if s.keyless == nil {
		return Identity{}, false
	}
	s.keyless.mu.Lock()
	defer s.keyless.mu.Unlock()
	return s.keyless.who, true
}

// Fingerprint is "sha256:…", the digest of the public key in its PKIX form; empty where there is none.
func (s *Signer) Fingerprint() string { return s.identity.fingerprint }

// Name is how verification calls the signer: "key sha256:…", or "identity NAME, by ISSUER".
func (s *Signer) Name() string {
	if who, keyless := s.Identity(); keyless {
		return nameOf(who)
	}
	return s.identity.name()
}

// lock makes the caller the only one of this signer to rewrite tag, until it calls what is returned.
func (s *Signer) lock(tag string) (unlock func()) {
	held, _ := s.tags.LoadOrStore(tag, &sync.Mutex{})
	mutex := held.(*sync.Mutex)
	mutex.Lock()
	return mutex.Unlock
}

// identity tells public keys apart.
type identity struct {
	fingerprint string // "sha256:…"
	hint        string // the same digest as Sigstore bundles carry it
}

func (i identity) name() string { return "key " + i.fingerprint }

func identify(public crypto.PublicKey) (identity, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return identity{}, err
	}
	sum := sha256.Sum256(der)
	return identity{fingerprint: "sha256:" + hex.EncodeToString(sum[:]), hint: base64.StdEncoding.EncodeToString(sum[:])}, nil
}

// keypair is a Signer as sigstore-go wants to see it.
type keypair struct{ *Signer }

func (k keypair) GetHashAlgorithm() commonv1.HashAlgorithm { return k.details.GetProtoHashType() }
func (k keypair) GetSigningAlgorithm() commonv1.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}
func (k keypair) GetHint() []byte                  { return []byte(k.identity.hint) }
func (k keypair) GetPublicKey() crypto.PublicKey   { return k.public }
func (k keypair) GetPublicKeyPem() (string, error) { return string(k.pem), nil }

func (k keypair) GetKeyAlgorithm() string {
	switch k.details.GetKeyType() {
	case signature.RSA:
		return "RSA"
	case signature.ED25519:
		return "ED25519"
	default:
		return "ECDSA"
	}
}

func (k keypair) SignData(ctx context.Context, data []byte) (signed, digest []byte, err error) {
	signed, err = k.key.SignMessage(bytes.NewReader(data), sigoptions.WithContext(ctx))
	sum := sha256.Sum256(data)
	return signed, sum[:], err
}
