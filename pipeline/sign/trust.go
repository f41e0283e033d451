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
		return nil, err
	}
	ways := [][]signature.LoadOption{nil}
	if _, ok := public.(ed25519.PublicKey); ok {
		ways = append(ways, []signature.LoadOption{options.WithED25519ph()})
	}
	var keys circle
	for _, way := range ways {
		verifier, err := signature.LoadDefaultVerifier(public, way...)
		if err != nil {
			return nil, err
		}
		key := root.NewExpiringKey(verifier, time.Time{}, time.Time{}) // never expires: rotation is a matter of which keys are given
		keys = append(keys, trusted{
			identity: id, public: public, verifier: verifier,
			material: root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return key, nil }),
		})
	}
	return keys, nil
}

// circle is the set of trusted keys.
type circle []trusted

// readKeys reads public keys as PEM, one or several in each text.
func readKeys(texts [][]byte) (circle, error) {
	var keys circle
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
			keys = append(keys, key...)
			found++
		}
		if found == 0 {
			return nil, fmt.Errorf("%w: trusted key %d is not a public key in PEM", verdict.ErrUsage, i+1)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("%w: no public key is given to verify with", verdict.ErrUsage)
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("%w: %d public keys are given, more than the limit of %d", verdict.ErrUsage, len(keys), maxKeys)
	}
	return keys, nil
}

// hinted returns the keys with those that hint names first. The hint is not signed: it only saves time.
func (c circle) hinted(hint string) circle {
	var first, others circle
	for _, key := range c {
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
	if c[0].fingerprint == c[len(c)-1].fingerprint {
		return fmt.Errorf("the trusted key %s did not sign it, or it was changed since", short(c[0].fingerprint))
	}
	return fmt.Errorf("none of the %d trusted keys signed it, or it was changed since", len(c))
}

// ofBundle says which key signed the bundle's envelope.
func (c circle) ofBundle(b *bundle.Bundle) (identity, error) {
	content, err := b.SignatureContent()
	if err != nil {
		return identity{}, err
	}
	material, err := b.VerificationContent()
	if err != nil {
		return identity{}, err
	}
	public := material.PublicKey()
	if public == nil {
		return identity{}, fmt.Errorf("it is signed with a certificate, and only keys are trusted")
	}
	for _, key := range c.hinted(public.Hint()) {
		if verify.VerifySignature(content, material, key.material) == nil {
			return key.identity, nil
		}
	}
	return identity{}, c.errSigner()
}

// ofMessage says which key signed the bytes.
func (c circle) ofMessage(signed, message []byte) (identity, error) {
	for _, key := range c {
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
	for _, key := range c {
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
