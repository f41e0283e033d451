// Package evidence holds the statements that a run makes about an image: how it was built, what is in it, what is
// known against it, how the checks and the launches ended, and which tag it was given.
//
// Each is an in-toto Statement v1 about exactly one subject. The package builds them from Hallmark's own words and
// reads them back, strictly and within limits. It is pure: it knows neither keys nor registries nor the rooms whose
// results it records. The predicates are described, with an example each, in docs/evidence.md.
package evidence

import (
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// The predicate types that Hallmark writes.
const (
	TypeProvenance      = "https://slsa.dev/provenance/v1"
	TypeCycloneDX       = "https://cyclonedx.org/bom"
	TypeSPDX            = "https://spdx.dev/Document"
	TypeVulnerabilities = "https://in-toto.io/attestation/vulns/v0.2"
	TypeChecked         = "https://slsa.dev/verification_summary/v1"
	TypeLaunched        = "https://in-toto.io/attestation/test-result/v0.1"
	TypePromoted        = "https://hallmark-ci.github.io/promotion/v1"
	// TypeSignature is what cosign gives a plain signature that is stored as a bundle. It says nothing but "signed".
	TypeSignature = "https://sigstore.dev/cosign/sign/v1"
)

// Verified is a statement whose signature, subject and age were found good.
type Verified struct {
	Statement Statement `json:"statement"`
	Summary   Summary   `json:"summary"`
	// Signer is "key sha256:…", the digest of the public key in its PKIX form.
	Signer string `json:"signer"`
	// At is when the statement says that it was made; the signature covers it.
	At time.Time `json:"at"`
	// Ref is where the statement is stored: repository@digest of the artifact that holds it.
	Ref string `json:"ref"`
}

// Newest returns the latest of all in which want agrees, and whether there is one.
func Newest(all []Verified, want func(Verified) bool) (Verified, bool) {
	var best Verified
	found := false
	for _, v := range all {
		if want(v) && (!found || v.At.After(best.At)) {
			best, found = v, true
		}
	}
	return best, found
}

// Signature is the statement that cosign's own client looks for when it verifies a signature in bundle form.
func Signature(s subject.Subject) (Statement, error) {
	return build(s, TypeSignature, struct{}{})
}
