// Package sign puts signatures and evidence beside an image in its registry, and verifies what it finds there.
//
// What it writes is what cosign's own client reads: a classic signature under the tag sha256-<digest>.sig, and
// Sigstore bundles (DSSE envelopes around in-toto statements) as OCI referrers of the image, with the tag that stands in
// for the referrers API where a registry lacks it. Keys are in cosign's encrypted format, and then nothing but the registry
// is asked for anything. Without a key, a Sigstore certifies whoever has an identity token, sees what is signed and dates
// it: then there is no classic signature, and verifiers need the trusted root of that Sigstore.
//
// The package must not know what evidence is good enough: it says what stands, who signed it and when. Whether a tag
// may move is for the promotion policy.
package sign

import "time"

// Codes of the rejections and errors of this package.
const (
	CodeSigner     = "evidence.signer"     // no trusted key made the signature
	CodeSubject    = "evidence.subject"    // it is about another digest
	CodeRepository = "evidence.repository" // it is about another repository
	CodeAge        = "evidence.age"        // older than allowed, from the future, or without a date
	CodeMalformed  = "evidence.malformed"  // it cannot be read, or contradicts itself
	CodePredicate  = "evidence.predicate"  // it is labelled as another kind of statement than it is
	CodeTooLarge   = "evidence.too-large"  // it exceeds a limit
	CodeGone       = "evidence.gone"       // it is listed, but not there
	CodeMissing    = "evidence.missing"    // required, and none that holds was found
	CodeUnsigned   = "evidence.unsigned"   // no signature of the image holds
	CodeList       = "evidence.list"       // the registry's list of referrers makes no sense
	CodeContended  = "evidence.contended"  // others kept writing the same tag
)

// Media types and annotations of what is stored, as cosign and Sigstore name them.
const (
	typeBundle       = "application/vnd.dev.sigstore.bundle.v0.3+json"
	typeBundlePrefix = "application/vnd.dev.sigstore.bundle"
	typeEmpty        = "application/vnd.oci.empty.v1+json"
	typeInToto       = "application/vnd.in-toto+json"
	typeSimple       = "application/vnd.dev.cosign.simplesigning.v1+json"
	typeEnvelope     = "application/vnd.dsse.envelope.v1+json"

	noteCreated   = "org.opencontainers.image.created"
	noteContent   = "dev.sigstore.bundle.content"
	notePredicate = "dev.sigstore.bundle.predicateType"
	noteSignature = "dev.cosignproject.cosign/signature"
	noteAttType   = "predicateType"
	// noteStatement holds the digest of the statement inside, so that the same one need not be written twice. It is a
	// hint: what it points at is opened and verified before it is believed.
	noteStatement = "io.github.hallmark-ci.statement"
)

// Limits bound what is read from a registry. Zero fields take the defaults.
type Limits struct {
	Referrers int           // evidence read of one image, the newest first; 200
	Bundle    int64         // bytes of one signed statement; 32 MiB
	Time      time.Duration // for everything that is asked of the registry in one call; 5 minutes
}

func (l Limits) withDefaults() Limits {
	if l.Referrers <= 0 {
		l.Referrers = 200
	}
	if l.Bundle <= 0 {
		l.Bundle = 32 << 20
	}
	if l.Time <= 0 {
		l.Time = 5 * time.Minute
	}
	return l
}

// maxClassic bounds the signatures read under one .sig or .att tag; maxPayload the bytes that a classic one signs.
const (
	maxClassic = 200
	maxPayload = 64 << 10
)
