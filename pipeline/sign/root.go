package sign

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Instance says which Sigstore vouches for identities, and where it is. The zero Instance is the public one.
type Instance struct {
	// Fulcio issues certificates, Rekor logs signatures, Timestamp dates them: addresses; empty: those that the instance's
	// own signing configuration names. With any of them given, that is not asked.
	Fulcio, Rekor, Timestamp string
	// RekorVersion is 1 or 2, the version of Rekor's interface; 0: 1.
	RekorVersion int
	// TrustedRoot is a file with the authorities' certificates and keys; empty: it is fetched from TUF.
	TrustedRoot string
	// TUF is the repository of the trusted root; empty: the public one. TUFRoot is the file with its first root.
	TUF, TUFRoot string
	// Cache is a folder in which to keep what TUF said.
	Cache string
}

// CodeUnavailable marks that a service for keyless signing did not answer, or not well.
const CodeUnavailable = "sigstore.unavailable"

// Root is what an instance's authorities are known by.
type Root struct {
	instance Instance
	material *root.TrustedRoot
	verifier *verify.Verifier
}

// Limits of what is asked of a Sigstore.
const (
	tufTime  = 45 * time.Second
	tufLock  = 2 * time.Minute
	rootSize = 4 << 20
)

// OpenRoot reads the trusted root of an instance: from its file, or by TUF, of which what was valid a day ago is taken
// without asking. Where TUF cannot be asked, what it said last counts for as long as it says itself.
func OpenRoot(ctx context.Context, instance Instance) (opened *Root, err error) {
	ctx, task := progress.Start(ctx, "trusted root")
	defer func() { task.End(err) }()
	r := &Root{instance: instance}
	var text []byte
	if instance.TrustedRoot != "" {
		if text, err = readSmall(instance.TrustedRoot); err != nil {
			return nil, fmt.Errorf("%w: reading the trusted root: %w", verdict.ErrUsage, err)
		}
	} else if text, err = r.target(ctx, "trusted_root.json"); err != nil {
		return nil, err
	}
	if r.material, err = root.NewTrustedRootFromJSON(text); err != nil {
		return nil, fmt.Errorf("%w: the trusted root %s cannot be read: %w", verdict.ErrUsage, instance.TrustedRoot, err)
	}
	if r.verifier, err = demanding(r.material); err != nil {
		return nil, fmt.Errorf("%w: the trusted root %s: %w", verdict.ErrUsage, instance.TrustedRoot, err)
	}
	return r, nil
}

// demanding is a verifier that wants of a signature all that the authorities of material can give: a certificate that is
// in a log, a time that somebody else vouches for, and an entry in a log of signatures where there is such a log.
func demanding(material *root.TrustedRoot) (*verify.Verifier, error) {
	switch {
	case len(material.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("it names no certificate authority")
	case len(material.CTLogs()) == 0:
		return nil, errors.New("it names no certificate transparency log, so nobody would see a certificate that was issued wrongly")
	case len(material.RekorLogs()) == 0 && len(material.TimestampingAuthorities()) == 0:
		return nil, errors.New("it names neither a transparency log nor a timestamp authority, so nobody would know when something was signed")
	}
	options := []verify.VerifierOption{verify.WithSignedCertificateTimestamps(1), verify.WithObserverTimestamps(1)}
	if len(material.RekorLogs()) > 0 {
		options = append(options, verify.WithTransparencyLog(1))
	}
	return verify.NewVerifier(material, options...)
}

// verify verifies everything of a bundle but whom it is by, and what it is about.
func (r *Root) verify(b *bundle.Bundle) (*verify.VerificationResult, error) {
	result, err := r.verifier.Verify(b, verify.NewPolicy(verify.WithoutArtifactUnsafe(), verify.WithoutIdentitiesUnsafe()))
	if err != nil {
		return nil, err
	}
	if result.Signature == nil || result.Signature.Certificate == nil {
		return nil, errors.New("it is not signed with a certificate")
	}
	return result, nil
}

// issued verifies a certificate that was issued a moment ago.
func (r *Root) issued(leaf *x509.Certificate, now time.Time) error {
	chains, err := verify.VerifyLeafCertificate(now, leaf, r.material)
	if err != nil {
		return errors.New("the certificate is of no authority that the trusted root names")
	}
	if err := verify.VerifySignedCertificateTimestamp(chains, 1, r.material); err != nil {
		return fmt.Errorf("no certificate transparency log that the trusted root names has the certificate: %w", err)
	}
	return nil
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > rootSize {
		return nil, fmt.Errorf("%s has %d bytes, more than the limit of %d", path, info.Size(), rootSize)
	}
	return os.ReadFile(path)
}

// target is a file of the instance's TUF repository.
func (r *Root) target(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tufTime)
	defer cancel()
	options := &tuf.Options{
		Root: tuf.DefaultRoot(), RepositoryBaseURL: tuf.DefaultMirror, CachePath: r.instance.Cache, CacheValidity: 1,
		Fetcher: fetcher{ctx}, DisableLocalCache: r.instance.Cache == "",
	}
	if r.instance.TUF != "" {
		options.RepositoryBaseURL = r.instance.TUF
		first, err := readSmall(r.instance.TUFRoot)
		if err != nil {
			return nil, fmt.Errorf("%w: reading the first root of %s: %w", verdict.ErrUsage, r.instance.TUF, err)
		}
		options.Root = first
	}
	if r.instance.Cache != "" {
		release, err := cacheLock(ctx, r.instance.Cache)
		if err != nil {
			return nil, err
		}
		defer release()
	}
	body, err := targetOf(*options, name)
	if err != nil && !options.DisableLocalCache {
		kept := *options
		kept.ForceCache = true
		if old, failed := targetOf(kept, name); failed == nil {
			progress.From(ctx).Warnf("%s cannot be asked, so what it said last counts, which is still valid: %v", options.RepositoryBaseURL, clip(err.Error()))
			return old, nil
		}
	}
	if err != nil {
		return nil, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: CodeUnavailable, Doing: "fetching " + name + " from", Object: options.RepositoryBaseURL,
			Cause: errors.New(clip(err.Error())), Remedy: "Run again when it can be reached, or give the trusted root as a file",
		}
	}
	return body, nil
}

// targetOf fetches one target, or reads it where it is kept.
func targetOf(options tuf.Options, name string) ([]byte, error) {
	client, err := tuf.New(&options)
	if err != nil {
		return nil, err
	}
	return client.GetTarget(name)
}

// cacheLock keeps other processes out of the folder of what TUF said.
func cacheLock(ctx context.Context, dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("%w: making the folder for the trusted root: %w", verdict.ErrUsage, err)
	}
	held, err := lock.Take(ctx, lock.Folder{Path: dir, File: "lock", What: "the kept trusted root", Code: "sigstore.busy", Wait: tufLock})
	if err != nil {
		return nil, err
	}
	return func() { _ = held.Close() }, nil
}
