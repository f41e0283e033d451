package sign

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	sigdsse "github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// maxKeys bounds how many public keys may be trusted at once: each may be tried on each signature.
const maxKeys = 64

// trusted is one public key whose signatures count.
type trusted struct {
	identity
	public   crypto.PublicKey
	verifier signature.Verifier
	material root.TrustedMaterial
}

// trust makes a public key count. One of Ed25519 counts for both ways of signing: the plain one, which Hallmark uses
// and cosign verifies, and the prehashed one, which cosign uses.
func trust(public crypto.PublicKey) (circle, error) {
	id, err := identify(public)
	if err != nil {
		return circle{}, err
	}
	ways := [][]signature.LoadOption{nil}
	if _, ok := public.(ed25519.PublicKey); ok {
		ways = append(ways, []signature.LoadOption{options.WithED25519ph()})
	}
	var trustees circle
	for _, way := range ways {
		verifier, err := signature.LoadDefaultVerifier(public, way...)
		if err != nil {
			return circle{}, err
		}
		key := root.NewExpiringKey(verifier, time.Time{}, time.Time{}) // never expires: rotation is a matter of which keys are given
		trustees.keys = append(trustees.keys, trusted{
			identity: id, public: public, verifier: verifier,
			material: root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return key, nil }),
		})
	}
	return trustees, nil
}

// circle is who is trusted: keys, and people or jobs whose certificates the authorities of root issued.
type circle struct {
	keys   []trusted
	people []matcher
	root   *Root // nil where nobody is trusted by identity
}

// trustees reads whom a policy trusts.
func (p Policy) trustees() (c circle, err error) {
	if c.people, err = readIdentities(p.Identities, p.Root); err != nil {
		return circle{}, err
	}
	c.root = p.Root
	if c.keys, err = readKeys(p.Keys); err != nil {
		return circle{}, err
	}
	if len(c.keys) == 0 && len(c.people) == 0 {
		return circle{}, fmt.Errorf("%w: neither a public key nor an identity is given to verify with", verdict.ErrUsage)
	}
	return c, nil
}

// readKeys reads public keys as PEM, one or several in each text.
func readKeys(texts [][]byte) ([]trusted, error) {
	var keys []trusted
	for i, text := range texts {
		found := 0
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "PUBLIC KEY" {
				return nil, fmt.Errorf("%w: trusted key %d holds %q; give the public key", verdict.ErrUsage, i+1, block.Type)
			}
			public, err := cryptoutils.UnmarshalPEMToPublicKey(pem.EncodeToMemory(block))
			if err != nil {
				return nil, fmt.Errorf("%w: trusted key %d cannot be read: %w", verdict.ErrUsage, i+1, err)
			}
			key, err := trust(public)
			if err != nil {
				return nil, fmt.Errorf("%w: trusted key %d cannot be used: %w", verdict.ErrUsage, i+1, err)
			}
			keys = append(keys, key.keys...)
			found++
		}
		if found == 0 {
			return nil, fmt.Errorf("%w: trusted key %d is not a public key in PEM", verdict.ErrUsage, i+1)
		}
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("%w: %d public keys are given, more than the limit of %d", verdict.ErrUsage, len(keys), maxKeys)
	}
	return keys, nil
}

// hinted returns the keys with those that hint names first. The hint is not signed: it only saves time.
func (c circle) hinted(hint string) []trusted {
	var first, others []trusted
	for _, key := range c.keys {
		if key.hint == hint {
			first = append(first, key)
		} else {
			others = append(others, key)
		}
	}
	return append(first, others...)
}

// errSigner is returned when no trusted key verifies a signature.
func (c circle) errSigner() error {
	switch {
	case len(c.keys) == 0:
		return fmt.Errorf("it is signed with a key, and only identities are trusted")
	case c.keys[0].fingerprint == c.keys[len(c.keys)-1].fingerprint:
		return fmt.Errorf("the trusted key %s did not sign it, or it was changed since", short(c.keys[0].fingerprint))
	}
	return fmt.Errorf("none of the %d trusted keys signed it, or it was changed since", len(c.keys))
}

// ofBundle says who signed the bundle's envelope.
func (c circle) ofBundle(b *bundle.Bundle) (signedBy, error) {
	content, err := b.SignatureContent()
	if err != nil {
		return signedBy{}, err
	}
	material, err := b.VerificationContent()
	if err != nil {
		return signedBy{}, err
	}
	public := material.PublicKey()
	if public == nil {
		return c.ofCertificate(b)
	}
	for _, key := range c.hinted(public.Hint()) {
		if verify.VerifySignature(content, material, key.material) == nil {
			return signedBy{name: key.name()}, nil
		}
	}
	return signedBy{}, c.errSigner()
}

// ofMessage says which key signed the bytes.
func (c circle) ofMessage(signed, message []byte) (identity, error) {
	for _, key := range c.keys {
		if key.verifier.VerifySignature(bytes.NewReader(signed), bytes.NewReader(message)) == nil {
			return key.identity, nil
		}
	}
	return identity{}, c.errSigner()
}

func short(fingerprint string) string {
	const digits = len("sha256:") + 12
	return fingerprint[:min(len(fingerprint), digits)]
}

// ofEnvelope says which key signed a DSSE envelope, and what it holds.
func (c circle) ofEnvelope(ctx context.Context, data []byte) (payload []byte, signer identity, err error) {
	var envelope dsse.Envelope
	if err := json.Unmarshal(data, &envelope); err != nil {
		return nil, identity{}, reject(CodeMalformed, "it is not a DSSE envelope: %w", err)
	}
	if envelope.PayloadType != typeInToto || len(envelope.Signatures) != 1 {
		return nil, identity{}, reject(CodeMalformed, "it is not a DSSE envelope around an in-toto statement with one signature")
	}
	if payload, err = envelope.DecodeB64Payload(); err != nil {
		return nil, identity{}, reject(CodeMalformed, "its payload cannot be read: %w", err)
	}
	for _, key := range c.keys {
		verifier, err := dsse.NewEnvelopeVerifier(&sigdsse.VerifierAdapter{SignatureVerifier: key.verifier, Pub: key.public})
		if err != nil {
			return nil, identity{}, err
		}
		if _, err := verifier.Verify(ctx, &envelope); err == nil {
			return payload, key.identity, nil
		}
	}
	return nil, identity{}, reject(CodeSigner, "%w", c.errSigner())
}
