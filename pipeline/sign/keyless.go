package sign

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	sgroot "github.com/sigstore/sigstore-go/pkg/root"
	sgsign "github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// CodeIdentity marks that no certificate was issued for the token.
const CodeIdentity = "sigstore.identity"

// Token fetches a fresh identity token for Fulcio. It is asked for one whenever a certificate is needed.
type Token func(context.Context) (string, error)

// margin is how long a certificate must still hold for a signature to be begun with it: longer than log and timestamp
// usually take together, much shorter than the ten minutes that it is issued for.
const margin = 2 * time.Minute

// keyless signs with keys that nobody keeps: each lives in memory, for as long as the certificate that says whose it is.
type keyless struct {
	root     *Root
	token    Token
	services services
	patience time.Duration // with a log

	mu   sync.Mutex
	pair *sgsign.EphemeralKeypair
	cert *x509.Certificate
	who  Identity
}

// services are the addresses to ask for a signature.
type services struct {
	fulcio     string
	logs       []sgroot.Service
	timestamps []string
}

// Keyless makes a signer without a key of its own: for a token of whoever runs it, Fulcio certifies one that lives for
// minutes; a transparency log and a timestamp authority see what it signs. The first certificate is fetched at once, so
// that a token that is refused is told early, and who signs is known.
func Keyless(ctx context.Context, r *Root, token Token) (*Signer, error) {
	found, err := r.services(ctx)
	if err != nil {
		return nil, err
	}
	k := &keyless{root: r, token: token, services: found, patience: askTime}
	if _, _, err := k.current(ctx); err != nil {
		return nil, err
	}
	exact, err := k.who.matches()
	if err != nil {
		return nil, fmt.Errorf("the certificate that was issued names nobody: %w", err)
	}
	return &Signer{keyless: k, own: circle{root: r, people: []matcher{exact}}}, nil
}

// services are those of the configuration, or else of the instance's own signing configuration.
func (r *Root) services(ctx context.Context) (services, error) {
	i := r.instance
	if i.Fulcio != "" || i.Rekor != "" || i.Timestamp != "" {
		s := services{fulcio: i.Fulcio}
		if i.Rekor != "" {
			s.logs = []sgroot.Service{{URL: i.Rekor, MajorAPIVersion: uint32(max(i.RekorVersion, 1))}}
		}
		if i.Timestamp != "" {
			s.timestamps = []string{i.Timestamp}
		}
		return s, s.check()
	}
	text, err := r.target(ctx, "signing_config.v0.2.json")
	if err != nil {
		return services{}, err
	}
	return servicesOf(text, time.Now())
}

func (s services) check() error {
	switch {
	case s.fulcio == "":
		return fmt.Errorf("%w: the Sigstore is to sign with, and no Fulcio is named", verdict.ErrUsage)
	case !secure(s.fulcio):
		return fmt.Errorf("%w: Fulcio is at %s, and the identity token must not go there without TLS: write https://", verdict.ErrUsage, s.fulcio)
	case len(s.logs) == 0 && len(s.timestamps) == 0:
		return fmt.Errorf("%w: neither a Rekor nor a timestamp authority is named, so nobody would know when something was signed", verdict.ErrUsage)
	}
	return nil
}

// servicesOf chooses from a signing configuration.
func servicesOf(text []byte, now time.Time) (services, error) {
	config, err := sgroot.NewSigningConfigFromJSON(text)
	if err != nil {
		return services{}, fmt.Errorf("reading the Sigstore's signing configuration: %w", err)
	}
	const doing = "choosing services from the Sigstore's signing configuration: %w"
	fulcio, err := sgroot.SelectService(config.FulcioCertificateAuthorityURLs(), sgsign.FulcioAPIVersions, now)
	if err != nil {
		return services{}, fmt.Errorf(doing, err)
	}
	s := services{fulcio: fulcio.URL}
	if all := config.RekorLogURLs(); len(all) > 0 {
		if s.logs, err = sgroot.SelectServices(all, config.RekorLogURLsConfig(), sgsign.RekorAPIVersions, now); err != nil {
			return services{}, fmt.Errorf(doing, err)
		}
	}
	if all := config.TimestampAuthorityURLs(); len(all) > 0 {
		chosen, err := sgroot.SelectServices(all, config.TimestampAuthorityURLsConfig(), sgsign.TimestampAuthorityAPIVersions, now)
		if err != nil {
			return services{}, fmt.Errorf(doing, err)
		}
		for _, one := range chosen {
			s.timestamps = append(s.timestamps, one.URL)
		}
	}
	return s, s.check()
}

// current is a key with a certificate that holds for a while: the last one, or a new one.
func (k *keyless) current(ctx context.Context) (*sgsign.EphemeralKeypair, *x509.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cert != nil && time.Until(k.cert.NotAfter) > margin {
		return k.pair, k.cert, nil
	}
	ctx, task := progress.Start(ctx, "certificate")
	pair, cert, who, err := k.certify(ctx)
	task.End(plain(err))
	if err != nil {
		return nil, nil, err
	}
	if k.cert != nil && who != k.who {
		return nil, nil, fmt.Errorf("%w: the run began to sign as %s, and the token now is of %s: let one token be of one identity", verdict.ErrUsage, k.who, who)
	}
	k.pair, k.cert, k.who = pair, cert, who
	return pair, cert, nil
}

// certify makes a key and has it certified.
func (k *keyless) certify(ctx context.Context) (*sgsign.EphemeralKeypair, *x509.Certificate, Identity, error) {
	none := Identity{}
	token, err := k.token(ctx)
	if err != nil {
		return nil, nil, none, err
	}
	pair, err := sgsign.NewEphemeralKeypair(nil)
	if err != nil {
		return nil, nil, none, fmt.Errorf("making a key: %w", err)
	}
	asked := &asker{ctx: ctx}
	fulcio := sgsign.NewFulcio(&sgsign.FulcioOptions{BaseURL: k.services.fulcio, Timeout: askTime, Transport: asked})
	var der []byte
	err = again(ctx, func() error {
		if der, err = fulcio.GetCertificate(ctx, pair, &sgsign.CertificateProviderOptions{IDToken: token}); err != nil && asked.refused() {
			return final{err}
		}
		return err
	})
	switch {
	case err != nil && asked.refused():
		return nil, nil, none, fmt.Errorf("%w: %w", verdict.ErrUsage, &verdict.Error{
			Code: CodeIdentity, Doing: "getting a certificate from", Object: k.services.fulcio, Cause: errors.New(clip(err.Error())),
			Remedy: "Check that this Fulcio knows the token's issuer, and that the token is for its audience and still valid",
		})
	case err != nil:
		return nil, nil, none, unavailable(ctx, "getting a certificate from", k.services.fulcio, err, "Run again when Fulcio answers")
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		err = k.fits(pair, cert)
	}
	if err != nil {
		return nil, nil, none, unavailable(ctx, "using the certificate from", k.services.fulcio, err,
			"Check that sign.keyless names a Fulcio and the trusted root of the same instance, and this machine's clock")
	}
	summary, err := certificate.SummarizeCertificate(cert)
	return pair, cert, identityOf(summary), err
}

// fits says whether a certificate is for the key, and of an authority that verifiers trust: before anything is signed.
func (k *keyless) fits(pair *sgsign.EphemeralKeypair, cert *x509.Certificate) error {
	if public, ok := pair.GetPublicKey().(*ecdsa.PublicKey); !ok || !public.Equal(cert.PublicKey) {
		return errors.New("the certificate is for another key than the one that was to be certified")
	}
	return k.root.issued(cert, time.Now())
}

// unavailable is the error of a service that did not do what it is for; an interrupt stays one.
func unavailable(ctx context.Context, doing, object string, cause error, remedy string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	return &verdict.Error{Verdict: verdict.Inconclusive, Code: CodeUnavailable, Doing: doing, Object: object, Cause: errors.New(clip(cause.Error())), Remedy: remedy}
}

// plain is an error without the mark of a usage error, which is for the exit code.
func plain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(verdict.Plain(err))
}

// ready hands out a certificate that is there already.
type ready struct{ der []byte }

// GetCertificate is the certificate.
func (r ready) GetCertificate(context.Context, sgsign.Keypair, *sgsign.CertificateProviderOptions) ([]byte, error) {
	return r.der, nil
}

// seal signs an in-toto statement, has it dated and logged, and verifies what came of it as anybody else would.
func (k *keyless) seal(ctx context.Context, payload []byte, own circle) (*protobundle.Bundle, error) {
	var made *protobundle.Bundle
	err := again(ctx, func() error {
		pair, cert, err := k.current(ctx)
		if err != nil {
			return final{err}
		}
		asked := &asker{ctx: ctx}
		options := sgsign.BundleOptions{Context: ctx, CertificateProvider: ready{cert.Raw}}
		for _, url := range k.services.timestamps {
			options.TimestampAuthorities = append(options.TimestampAuthorities,
				sgsign.NewTimestampAuthority(&sgsign.TimestampAuthorityOptions{URL: url, Timeout: askTime, Transport: asked}))
		}
		logging := &asker{ctx: ctx}
		options.TransparencyLogs = k.logs(logging)
		made, err = sgsign.Bundle(&sgsign.DSSEData{Data: payload, PayloadType: typeInToto}, pair, options)
		if repelled := k.services.repelled(ctx, logging, err); repelled != nil {
			return repelled
		}
		return err
	})
	if err != nil {
		var known *verdict.Error
		if errors.As(err, &known) || errors.Is(err, verdict.ErrUsage) {
			return nil, err
		}
		return nil, unavailable(ctx, "having a signature dated and logged at", k.services.witnesses(), err,
			"Run again when they answer; a log that answers 404 may be of the other version, see sign.keyless.rekor_version")
	}
	read, err := bundle.NewBundle(made)
	if err == nil {
		_, err = own.ofCertificate(read)
	}
	if err != nil {
		return nil, unavailable(ctx, "verifying what was signed with the certificate of", k.services.fulcio, err,
			"Check that the services of sign.keyless and its trusted root are of the same instance, and this machine's clock")
	}
	return made, nil
}

// witnesses are those who see signatures, for messages.
func (s services) witnesses() string {
	text := ""
	for _, log := range s.logs {
		text += " and " + log.URL
	}
	for _, url := range s.timestamps {
		text += " and " + url
	}
	return text[len(" and "):]
}
