package sign

import (
	"fmt"
	"regexp"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Identity says whose certificates count: who vouched (the issuer of the token), and for whom (what the certificate names
// as its subject, a workflow or a mail address). Of each, one of the two ways to say it is given.
type Identity struct {
	Issuer, IssuerRegexp string
	Name, NameRegexp     string
}

// String is the identity for people: "NAME, by ISSUER".
func (i Identity) String() string {
	either := func(exact, pattern string) string {
		switch {
		case exact != "":
			return exact
		case pattern != "":
			return "/" + pattern + "/"
		}
		return "(none)"
	}
	return either(i.Name, i.NameRegexp) + ", by " + either(i.Issuer, i.IssuerRegexp)
}

// matcher is an Identity whose patterns are compiled.
type matcher struct {
	issuer, name func(string) bool
}

// matches makes a matcher. A pattern must match the whole text: one that matches anywhere would be met by an address of
// which the trusted one is only a part.
func (i Identity) matches() (matcher, error) {
	one := func(what, exact, pattern string) (func(string) bool, error) {
		switch {
		case exact == "" && pattern == "":
			return nil, fmt.Errorf("it has no %s: without one, everybody whom the other half allows would count", what)
		case exact != "" && pattern != "":
			return nil, fmt.Errorf("it has an exact %s and a pattern for it: keep one", what)
		case exact != "":
			return func(text string) bool { return text == exact }, nil
		}
		compiled, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			return nil, fmt.Errorf("its pattern for the %s is no regular expression: %w", what, err)
		}
		return compiled.MatchString, nil
	}
	issuer, err := one("issuer", i.Issuer, i.IssuerRegexp)
	if err != nil {
		return matcher{}, err
	}
	name, err := one("identity", i.Name, i.NameRegexp)
	return matcher{issuer: issuer, name: name}, err
}

// Check says whether the identity can be matched with.
func (i Identity) Check() error {
	if _, err := i.matches(); err != nil {
		return fmt.Errorf("%w: the trusted identity %s: %w", verdict.ErrUsage, i, err)
	}
	return nil
}

// maxIdentities bounds how many identities may be trusted at once.
const maxIdentities = 64

// readIdentities makes identities count, whose certificates root's authorities issued.
func readIdentities(identities []Identity, root *Root) ([]matcher, error) {
	switch {
	case len(identities) == 0:
		return nil, nil
	case root == nil:
		return nil, fmt.Errorf("%w: identities are trusted, and no authority that could vouch for them", verdict.ErrUsage)
	case len(identities) > maxIdentities:
		return nil, fmt.Errorf("%w: %d identities are trusted, more than the limit of %d", verdict.ErrUsage, len(identities), maxIdentities)
	}
	people := make([]matcher, len(identities))
	for i, identity := range identities {
		if err := identity.Check(); err != nil {
			return nil, err
		}
		people[i], _ = identity.matches()
	}
	return people, nil
}

// signedBy is who made a signature.
type signedBy struct {
	name string
	// witnessed is when somebody else saw the signature, at the latest; zero where nobody did: keys need no witness.
	witnessed time.Time
}

// ofCertificate says whose certificate made the bundle's signature, and when. The chain up to the authority, the
// certificate's entry in a public log, the signature's, and the time between are verified first.
func (c circle) ofCertificate(b *bundle.Bundle) (signedBy, error) {
	if len(c.people) == 0 {
		return signedBy{}, fmt.Errorf("it is signed with a certificate, and only keys are trusted")
	}
	result, err := c.root.verify(b)
	if err != nil {
		return signedBy{}, err
	}
	who := identityOf(*result.Signature.Certificate)
	for _, m := range c.people {
		if m.issuer(who.Issuer) && m.name(who.Name) {
			return signedBy{name: nameOf(who), witnessed: earliest(result)}, nil
		}
	}
	return signedBy{}, fmt.Errorf("it is signed by %s, who is not trusted", clip(who.String()))
}

func identityOf(summary certificate.Summary) Identity {
	return Identity{Issuer: summary.Issuer, Name: summary.SubjectAlternativeName}
}

// nameOf is how verification calls a signer with a certificate.
func nameOf(who Identity) string { return "identity " + clip(who.String()) }

// earliest is the first time at which somebody else saw the signature.
func earliest(result *verify.VerificationResult) time.Time {
	var first time.Time
	for _, stamp := range result.VerifiedTimestamps {
		if first.IsZero() || stamp.Timestamp.Before(first) {
			first = stamp.Timestamp
		}
	}
	return first
}
