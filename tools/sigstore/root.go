package main

import (
	"crypto"
	"encoding/hex"
	"os"
	"time"

	trustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// describe writes the trusted root, for verifiers, and the signing configuration, for signers.
func describe(d Described, ca *authority, ct *ctLog, stamps *timestamps, entries *log, since time.Time) error {
	last := len(stamps.chain) - 1
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: ca.root, ValidityPeriodStart: since, URI: d.Fulcio}},
		map[string]*root.TransparencyLog{hex.EncodeToString(ct.id[:]): {
			BaseURL: ct.url, ID: ct.id[:], ValidityPeriodStart: since, HashFunc: crypto.SHA256, PublicKey: &ct.key.PublicKey, SignatureHashFunc: crypto.SHA256,
		}},
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Leaf: stamps.chain[0], Intermediates: stamps.chain[1:last], Root: stamps.chain[last], ValidityPeriodStart: since, URI: d.Timestamp,
		}},
		map[string]*root.TransparencyLog{hex.EncodeToString(entries.id): {
			BaseURL: "https://" + rekorName, ID: entries.id, ValidityPeriodStart: since, HashFunc: crypto.SHA256, PublicKey: entries.public, SignatureHashFunc: crypto.SHA512,
		}})
	if err != nil {
		return err
	}
	text, err := trusted.MarshalJSON()
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.TrustedRoot, text, 0o644); err != nil {
		return err
	}
	service := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: since, Operator: "tests"}}
	}
	anyOne := root.ServiceConfiguration{Selector: trustroot.ServiceSelector_ANY}
	signing, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(d.Fulcio, 1), service(d.Issuer, 1),
		service(d.Rekor, 2), anyOne, service(d.Timestamp, 1), anyOne)
	if err != nil {
		return err
	}
	if text, err = signing.MarshalJSON(); err != nil {
		return err
	}
	return os.WriteFile(d.SigningConfig, text, 0o644)
}
