package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"golang.org/x/sync/errgroup"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// AttestOptions say what is written besides the bundles of the statements.
type AttestOptions struct {
	// Signature signs the image as well: in one go it costs next to nothing more.
	Signature bool
	// As is the repository that the signature names; empty: the one that it is stored in. Statements name their own.
	As string
	// Tags stores the statements under cosign's older .att tag too, for clients that know no referrers.
	Tags bool
	// Manifest is that of the image where the registry may not have it: a verdict on what is never published. Without it, it is
	// read from the registry.
	Manifest registry.Manifest
	// Limits bound what is read to see what stands already.
	Limits Limits
}

// Sign signs the image: a classic signature under the .sig tag, and one in bundle form as a referrer. What this key
// has signed already is not signed again.
func (s *Signer) Sign(ctx context.Context, c *registry.Client, at subject.Subject) error {
	return s.AttestAll(ctx, c, at, nil, AttestOptions{Signature: true})
}

// Attest signs one statement and stores it beside the image that it is about. The same statement is not stored twice;
// a newer one of the same kind is stored beside the older, and counts instead of it.
func (s *Signer) Attest(ctx context.Context, c *registry.Client, statement evidence.Statement, o AttestOptions) error {
	return s.AttestAll(ctx, c, statement.Subject, []evidence.Statement{statement}, o)
}

// AttestAll signs statements about the image at, which lies in the registry already (or see Manifest), and stores them beside it: all
// uploads at once, and one change to the list of referrers where the registry does not keep it itself.
func (s *Signer) AttestAll(ctx context.Context, c *registry.Client, at subject.Subject, statements []evidence.Statement, o AttestOptions) (err error) {
	if o.Tags && s.keyless != nil {
		return fmt.Errorf("%w: evidence is to be attached under cosign's older tags too, which carry no certificate as it is logged today: leave sign.tags out, or sign with a key", verdict.ErrUsage)
	}
	limits := o.Limits.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	ctx, task := progress.Start(ctx, "%s", title(len(statements), o.Signature))
	defer func() { task.End(err) }()

	as := o.As
	if as == "" {
		as = at.Repository
	}
	if o.Signature {
		signature, err := evidence.Signature(subject.Subject{Repository: as, Digest: at.Digest})
		if err != nil {
			return err
		}
		statements = append([]evidence.Statement{signature}, statements...)
	}
	work := &attesting{Signer: s, client: c, at: at, image: o.Manifest, limits: limits, tags: o.Tags}
	if err := work.prepare(ctx, statements); err != nil {
		return err
	}
	if o.Signature && s.keyless == nil { // with a certificate, the signature is in the bundle alone
		item, err := s.classic(ctx, at, as)
		if err != nil {
			return fmt.Errorf("signing %s: %w", at, err)
		}
		work.signatures = append(work.signatures, item)
	}
	return work.store(ctx)
}

func title(statements int, signature bool) string {
	switch {
	case statements == 0:
		return "sign"
	case signature:
		return "sign, attest " + verdict.Plural(statements, "statement")
	default:
		return "attest " + verdict.Plural(statements, "statement")
	}
}

// attesting is one call of AttestAll on its way.
type attesting struct {
	*Signer
	client *registry.Client
	at     subject.Subject
	image  registry.Manifest // empty: it is in the registry
	limits Limits
	tags   bool

	there        referrers     // what stood before
	blobs        []v1.Layer    // to upload
	artifacts    []artifactPut // to write once the blobs are there
	signatures   []attached    // for the .sig tag
	attestations []attached    // for the .att tag
}

type artifactPut struct {
	manifest registry.Manifest
	entry    v1.Descriptor // in the list of referrers
}

// prepare signs what does not stand yet.
func (a *attesting) prepare(ctx context.Context, statements []evidence.Statement) error {
	manifest, err := a.manifest(ctx)
	if err != nil {
		return err
	}
	hash, err := v1.NewHash(a.at.Digest)
	if err != nil {
		return err
	}
	image := v1.Descriptor{MediaType: manifest.Type, Digest: hash, Size: int64(len(manifest.Bytes))}
	if a.there, err = listReferrers(ctx, a.client, a.at); err != nil {
		return err
	}
	for _, statement := range statements {
		if statement.Subject.Digest != a.at.Digest {
			return fmt.Errorf("attesting %s: the statement is about another image, %s", a.at, statement.Subject)
		}
	}
	made := make([]prepared, len(statements))
	group, ctx := errgroup.WithContext(ctx) // logs and timestamp authorities take their time
	group.SetLimit(parallel)
	for i, statement := range statements {
		group.Go(func() (err error) {
			if made[i], err = a.make(ctx, image, statement); err != nil {
				return fmt.Errorf("attesting %s about %s: %w", statement.PredicateType, a.at, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, one := range made {
		if one.layer != nil {
			a.blobs, a.artifacts = append(a.blobs, one.layer), append(a.artifacts, one.artifact)
		}
		if one.attestation != nil {
			a.attestations = append(a.attestations, *one.attestation)
		}
	}
	return nil
}

// manifest is what the artifacts refer to.
func (a *attesting) manifest(ctx context.Context) (registry.Manifest, error) {
	if len(a.image.Bytes) == 0 {
		return a.client.Manifest(ctx, a.at)
	}
	if got := a.image.Digest(); got != a.at.Digest {
		return registry.Manifest{}, fmt.Errorf("attesting %s: the manifest that was given has the digest %s", a.at, got)
	}
	return a.image, nil
}

// prepared is what is to be stored of one statement: nothing where all of it stands.
type prepared struct {
	layer       v1.Layer
	artifact    artifactPut
	attestation *attached
}

// make signs one statement and makes what is to be stored of it.
func (a *attesting) make(ctx context.Context, image v1.Descriptor, statement evidence.Statement) (p prepared, err error) {
	payload, err := statement.Marshal()
	if err != nil {
		return p, err
	}
	if _, err := evidence.Parse(payload, 0); err != nil {
		return p, err // nobody would accept it
	}
	digest := subject.DigestOf(payload)
	stands, err := a.stands(ctx, digest)
	if err != nil || stands && !a.tags {
		return p, err
	}
	made, err := a.seal(ctx, payload)
	if err != nil {
		return p, err
	}
	if a.tags && statement.PredicateType != evidence.TypeSignature {
		item, err := a.attestation(made, statement.PredicateType, digest)
		if err != nil {
			return p, err
		}
		p.attestation = &item
	}
	if stands {
		return p, nil
	}
	p.layer = static.NewLayer(made.bundle, typeBundle)
	p.artifact.manifest, p.artifact.entry, err = newArtifact(image, p.layer, typeBundle, map[string]string{
		noteCreated: createdAt(statement).Format(time.RFC3339), noteContent: "dsse-envelope",
		notePredicate: statement.PredicateType, noteStatement: digest,
	})
	return p, err
}

// createdAt is when the statement was made, as it says itself, and now where it does not say.
func createdAt(statement evidence.Statement) time.Time {
	if summary, err := evidence.Summarize(statement); err == nil && !summary.At.IsZero() {
		return summary.At.UTC()
	}
	return time.Now().UTC()
}

// stands says whether the statement with this digest is there already, signed by this key. Only the list's hint is
// looked for, but what it leads to is opened: a hint alone could keep good evidence out.
func (a *attesting) stands(ctx context.Context, digest string) (bool, error) {
	for _, entry := range a.there.list {
		if entry.Annotations[noteStatement] != digest {
			continue
		}
		found, err := a.fetch(ctx, entry)
		if err == nil && subject.DigestOf(found.payload) == digest {
			if _, err := a.own.ofBundle(found.bundle); err == nil {
				return true, nil
			}
		}
		if _, _, ok := rejected(err); err != nil && !ok && !errors.Is(err, errNotOurs) {
			return false, err
		}
	}
	return false, nil
}

// attestation is the statement as an entry of the .att tag.
func (a *attesting) attestation(made sealed, predicateType, digest string) (attached, error) {
	encoded, err := json.Marshal(made.envelope)
	if err != nil {
		return attached{}, err
	}
	return attached{
		layer: static.NewLayer(encoded, typeEnvelope),
		notes: map[string]string{noteSignature: "", noteAttType: predicateType, noteStatement: digest},
		same: func(ctx context.Context, there v1.Descriptor) (bool, error) {
			if there.Annotations[noteStatement] != digest {
				return false, nil
			}
			data, err := blob(ctx, a.client, a.at.Repository, there, a.limits.Bundle)
			if err != nil {
				return false, err
			}
			payload, _, err := a.own.ofEnvelope(ctx, data)
			return err == nil && subject.DigestOf(payload) == digest, nil
		},
	}, nil
}

// store writes what was prepared: blobs, then manifests by digest, then the tags that make them found. A write that
// fails does not cancel those beside it: a request that is given up under way may take effect at any time later.
func (a *attesting) store(ctx context.Context) error {
	if len(a.artifacts) > 0 {
		if _, err := a.client.Upload(ctx, newPile(a.blobs...), a.at.Repository); err != nil {
			return err
		}
	}
	puts := errgroup.Group{}
	puts.SetLimit(parallel)
	entries := make([]v1.Descriptor, 0, len(a.artifacts))
	for _, item := range a.artifacts {
		entries = append(entries, item.entry)
		puts.Go(func() error {
			return a.client.PutManifest(ctx, subject.Subject{Repository: a.at.Repository, Digest: item.manifest.Digest()}, item.manifest)
		})
	}
	if err := puts.Wait(); err != nil {
		return err
	}
	tags := errgroup.Group{}
	rewrite := func(suffix string, m merge) {
		tags.Go(func() error { return a.rewrite(ctx, a.client, a.at, derived(a.at, suffix), m) })
	}
	if !a.there.api && len(entries) > 0 {
		rewrite("", listed(entries))
	}
	if len(a.signatures) > 0 {
		rewrite(suffixSignature, appended(a.client, a.at.Repository, a.signatures))
	}
	if len(a.attestations) > 0 {
		rewrite(suffixAttestation, appended(a.client, a.at.Repository, a.attestations))
	}
	return tags.Wait()
}

func (a *attesting) fetch(ctx context.Context, entry v1.Descriptor) (unsealed, error) {
	content, err := findBundle(ctx, a.client, a.at, entry)
	if err != nil {
		return unsealed{}, err
	}
	return openBundle(ctx, a.client, a.at, content, a.limits.Bundle)
}
