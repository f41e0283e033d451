package sign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Policy says what makes evidence count.
type Policy struct {
	// Keys are the public keys, PEM, whose signatures count.
	Keys [][]byte
	// Identities are those whose signatures count by certificates, which the authorities of Root issued.
	Identities []Identity
	Root       *Root
	// MaxAge is how old evidence may be; 0: any age. Plain signatures have no date.
	MaxAge time.Duration
	// Repositories are the names under which evidence counts; none: the image's own repository. An image that was
	// copied carries the evidence of where it was made.
	Repositories []string
	// Require lists predicate types that must be there.
	Require []string
	// Now is the time to measure ages by; zero: the clock's.
	Now time.Time
	// Limits bound what is read.
	Limits Limits
}

// skew is how far ahead of ours the clock of a signer may be.
const skew = 5 * time.Minute

// Verify reads what stands beside the image and says what of it counts under the policy. It asks nobody but the
// registry: who is trusted, and the authorities that vouch for identities, are known before. An error says that it could
// not be found out; what was found and is bad stands in the report, see Err.
func Verify(ctx context.Context, c *registry.Client, at subject.Subject, p Policy) (Report, error) {
	trustees, err := p.trustees()
	if err != nil {
		return Report{}, err
	}
	names, err := namesOf(at, p.Repositories)
	if err != nil {
		return Report{}, fmt.Errorf("%w: verifying %s: %w", verdict.ErrUsage, at, err)
	}
	if p.Now.IsZero() {
		p.Now = time.Now()
	}
	v := &verification{Policy: p, client: c, at: at, circle: trustees, names: names}
	v.Limits = p.Limits.withDefaults()
	v.memory = semaphore.NewWeighted(v.Limits.Bundle)
	ctx, cancel := context.WithTimeout(ctx, v.Limits.Time)
	defer cancel()
	ctx, task := progress.Start(ctx, "verify %s", at.Short())
	report, err := v.run(ctx)
	task.End(err)
	return report, err
}

// verification is one call of Verify on its way.
type verification struct {
	Policy
	client *registry.Client
	at     subject.Subject
	circle circle
	names  []string
	memory *semaphore.Weighted // bytes of bundles that may be held at once: those of one of the largest
}

// found is what became of one thing that was looked at: at most one of its fields is set.
type found struct {
	signature *Signature
	verified  *evidence.Verified
	rejection *Rejection
}

func (v *verification) run(ctx context.Context) (Report, error) {
	var classic, bundles []found
	unread := 0
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		classic, err = v.classic(ctx)
		return err
	})
	group.Go(func() (err error) {
		bundles, unread, err = v.bundles(ctx)
		return err
	})
	if err := group.Wait(); err != nil {
		return Report{}, err
	}
	return v.report(append(classic, bundles...), unread), nil
}

// classic looks at the .sig tag.
func (v *verification) classic(ctx context.Context) ([]found, error) {
	tag := derived(v.at, suffixSignature)
	refuse := func(err error) ([]found, error) {
		if code, reason, ok := rejected(err); ok {
			return []found{{rejection: &Rejection{Ref: v.at.Tagged(tag), Code: code, Reason: reason}}}, nil
		}
		return nil, err
	}
	manifest, _, there, err := manifestAt(ctx, v.client, v.at.Repository, tag)
	if err != nil {
		return refuse(err)
	}
	if !there {
		return nil, nil
	}
	layers, err := layersOf(manifest)
	if err != nil {
		return refuse(err)
	}
	return eachOf(ctx, layers, func(ctx context.Context, layer v1.Descriptor) (found, error) {
		ref := v.at.Repository + "@" + layer.Digest.String()
		signer, err := openClassic(ctx, v.client, v.at, layer, v.circle, v.names)
		if code, reason, ok := rejected(err); ok {
			return found{rejection: &Rejection{Ref: ref, Code: code, Reason: reason}}, nil
		}
		return found{signature: &Signature{Signer: signer.name(), Form: "tag", Ref: ref}}, err
	})
}

// bundles looks at the referrers.
func (v *verification) bundles(ctx context.Context) (all []found, unread int, err error) {
	there, err := listReferrers(ctx, v.client, v.at)
	if code, reason, ok := rejected(err); ok {
		return []found{{rejection: &Rejection{Ref: v.at.Tagged(derived(v.at, "")), Code: code, Reason: reason}}}, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	entries := slices.DeleteFunc(there.list, func(d v1.Descriptor) bool { return !maybeBundle(d) })
	newestFirst(entries)
	entries = slices.CompactFunc(entries, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest })
	if unread = len(entries) - v.Limits.Referrers; unread > 0 {
		entries = entries[:v.Limits.Referrers]
	}
	all, err = eachOf(ctx, entries, func(ctx context.Context, entry v1.Descriptor) (found, error) {
		ref := v.at.Repository + "@" + entry.Digest.String()
		verified, err := v.open(ctx, entry, ref)
		switch code, reason, ok := rejected(err); {
		case ok:
			return found{rejection: &Rejection{Ref: ref, Type: clip(entry.Annotations[notePredicate]), Code: code, Reason: reason}}, nil
		case errors.Is(err, errNotOurs):
			return found{}, nil
		case err != nil:
			return found{}, err
		case verified.Statement.PredicateType == evidence.TypeSignature:
			return found{signature: &Signature{Signer: verified.Signer, Form: "bundle", Ref: ref}}, nil
		}
		return found{verified: &verified}, nil
	})
	return all, max(unread, 0), err
}

// open verifies one bundle: who signed it, then what it says, of which image, and when.
func (v *verification) open(ctx context.Context, entry v1.Descriptor, ref string) (evidence.Verified, error) {
	none := evidence.Verified{}
	content, err := findBundle(ctx, v.client, v.at, entry)
	if err != nil {
		return none, err
	}
	weight := min(max(content.Size, 0), v.Limits.Bundle)
	if err := v.memory.Acquire(ctx, weight); err != nil {
		return none, err
	}
	defer v.memory.Release(weight)
	opened, err := openBundle(ctx, v.client, v.at, content, v.Limits.Bundle)
	if err != nil {
		return none, err
	}
	signer, err := v.circle.ofBundle(opened.bundle)
	if err != nil {
		return none, reject(CodeSigner, "%s", clip(err.Error()))
	}
	statement, err := evidence.Parse(opened.payload, int(v.Limits.Bundle))
	if err != nil {
		return none, reject(CodeMalformed, "%w", err)
	}
	if err := checkSubject(statement.Subject, v.at, v.names); err != nil {
		return none, err
	}
	if label := entry.Annotations[notePredicate]; label != "" && label != statement.PredicateType {
		return none, reject(CodePredicate, "it is labelled as %s, but states %s", clip(label), clip(statement.PredicateType))
	}
	summary, err := evidence.Summarize(statement)
	if err != nil {
		return none, reject(CodeMalformed, "%w", err)
	}
	if summary.Kind != evidence.KindSignature {
		if err := v.checkAge(summary.At); err != nil {
			return none, err
		}
		if !signer.witnessed.IsZero() && summary.At.After(signer.witnessed.Add(skew)) {
			return none, reject(CodeAge, "it says that it was made at %s, and was signed before that, at %s",
				summary.At.Format(time.RFC3339), signer.witnessed.UTC().Format(time.RFC3339))
		}
	}
	return evidence.Verified{Statement: statement, Summary: summary, Signer: signer.name, At: summary.At, Ref: ref}, nil
}

func (v *verification) checkAge(at time.Time) error {
	age := v.Now.Sub(at)
	switch {
	case at.IsZero() && v.MaxAge > 0:
		return reject(CodeAge, "it does not say when it was made, and evidence may be at most %s old", v.MaxAge)
	case at.IsZero():
		return nil
	case age < -skew:
		return reject(CodeAge, "it was made in the future, at %s", at.Format(time.RFC3339))
	case v.MaxAge > 0 && age > v.MaxAge:
		return reject(CodeAge, "it is %s old, and may be at most %s", age.Round(time.Second), v.MaxAge)
	}
	return nil
}

// maybeBundle leaves out what its entry says to be something else, to save asking. What is let in is looked at; what a
// false entry keeps out is missing, which fails.
func maybeBundle(d v1.Descriptor) bool {
	return d.ArtifactType == "" || d.ArtifactType == typeEmpty || isBundle(types.MediaType(d.ArtifactType))
}

// eachOf calls look on all, a few at a time, and keeps their order.
func eachOf(ctx context.Context, all []v1.Descriptor, look func(context.Context, v1.Descriptor) (found, error)) ([]found, error) {
	out := make([]found, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, d := range all {
		group.Go(func() (err error) {
			out[i], err = look(ctx, d)
			return err
		})
	}
	return out, group.Wait()
}

// parallel bounds how many things are looked at at once.
const parallel = 8
