package main

import (
	"crypto"
	"encoding/hex"
	"os"
	"time"

	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// instance is what verifiers and signers are told of.
type instance struct {
	d      Described
	ca     *authority
	ct     *ctLog
	stamps *timestamps
	since  time.Time
}

// describe writes the trusted roots, for verifiers, and the signing configurations, for signers; second and first are the
// logs of Rekor's two versions.
func (i instance) describe(second, first *root.TransparencyLog) error {
	last := len(i.stamps.chain) - 1
	dated := []root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
		Leaf: i.stamps.chain[0], Intermediates: i.stamps.chain[1:last], Root: i.stamps.chain[last], ValidityPeriodStart: i.since, URI: i.d.Timestamp,
	}}
	for _, err := range []error{
		i.trustedRoot(i.d.TrustedRoot, dated, second),
		i.trustedRoot(i.d.First.TrustedRoot, dated, second, first),
		i.trustedRoot(i.d.First.UndatedRoot, nil, first),
		i.signingConfig(i.d.SigningConfig, i.d.Rekor, 2),
		i.signingConfig(i.d.First.SigningConfig, i.d.First.Rekor, 1),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (i instance) trustedRoot(path string, stamps []root.TimestampingAuthority, logs ...*root.TransparencyLog) error {
	known := map[string]*root.TransparencyLog{}
	for _, log := range logs {
		known[hex.EncodeToString(log.ID)] = log
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: i.ca.root, ValidityPeriodStart: i.since, URI: i.d.Fulcio}},
		map[string]*root.TransparencyLog{hex.EncodeToString(i.ct.id[:]): {
			BaseURL: i.ct.url, ID: i.ct.id[:], ValidityPeriodStart: i.since, HashFunc: crypto.SHA256, PublicKey: &i.ct.key.PublicKey, SignatureHashFunc: crypto.SHA256,
		}}, stamps, known)
	if err != nil {
		return err
	}
	return written(path, trusted.MarshalJSON)
}

func (i instance) signingConfig(path, rekor string, version uint32) error {
	service := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: i.since, Operator: "tests"}}
	}
	anyOne := root.ServiceConfiguration{Selector: trustroot.ServiceSelector_ANY}
	signing, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(i.d.Fulcio, 1), service(i.d.Issuer, 1),
		service(rekor, version), anyOne, service(i.d.Timestamp, 1), anyOne)
	if err != nil {
		return err
	}
	return written(path, signing.MarshalJSON)
}

func written(path string, encode func() ([]byte, error)) error {
	text, err := encode()
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
