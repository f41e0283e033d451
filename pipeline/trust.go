package pipeline

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// trust is whose signatures count.
type trust struct {
	keys       [][]byte
	identities []sign.Identity
	root       *sign.Root // vouches for the identities
}

// policy verifies with the trust, what is at most maxAge old (0: any age).
func (t trust) policy(maxAge time.Duration) sign.Policy {
	return sign.Policy{Keys: t.keys, Identities: t.identities, Root: t.root, MaxAge: maxAge}
}

// authorities are the trusted root of the configured Sigstore, which is fetched at most once.
type authorities struct {
	instance sign.Instance
	mu       sync.Mutex
	root     *sign.Root
}

func newAuthorities(k config.Keyless, home Home) *authorities {
	return &authorities{instance: sign.Instance{
		Fulcio: k.Fulcio, Rekor: k.Rekor, RekorVersion: k.RekorVersion, Timestamp: k.Timestamp,
		TrustedRoot: k.TrustedRoot, TUF: k.TUF, TUFRoot: k.TUFRoot, Cache: home.sigstore(),
	}}
}

func (a *authorities) get(ctx context.Context) (*sign.Root, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.root == nil {
		root, err := sign.OpenRoot(ctx, a.instance)
		if err != nil {
			return nil, err
		}
		a.root = root
	}
	return a.root, nil
}

// surely is where the program runs: verbs that do not speak to the system still run on it.
func surely(facts ci.Facts) ci.Facts {
	if facts.System == ci.None {
		return ci.Detect(os.Getenv)
	}
	return facts
}

// token fetches an identity token for the Sigstore: from where the configuration says, else from the CI system.
func (s *surroundings) token(ctx context.Context) (string, error) {
	k := s.cfg.Sign.Keyless
	if k.Token == "" {
		return ci.IdentityToken(ctx, os.Getenv, surely(s.ci).System, k.Audience)
	}
	text, err := k.Token.Read()
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	return token, ci.CheckToken(token, string(k.Token), k.Audience, time.Now())
}

// named is whom sign.trust names.
func (s *surroundings) named() (t trust, err error) {
	for _, one := range s.cfg.Sign.Trust {
		if one.Key != "" {
			t.keys, err = appendKey(t.keys, one.Key)
			if err != nil {
				return t, err
			}
			continue
		}
		t.identities = append(t.identities, sign.Identity{Issuer: one.Issuer, IssuerRegexp: one.IssuerRegexp, Name: one.Identity, NameRegexp: one.IdentityRegexp})
	}
	return t, nil
}

func appendKey(keys [][]byte, file string) ([][]byte, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the public key: %w", verdict.ErrUsage, err)
	}
	return append(keys, pem), nil
}

// believed is whom flags name, or else whom sign.trust names and who signs here, whom own adds; with the authorities that
// vouch for identities, where it has any.
func (s *surroundings) believed(ctx context.Context, with VerifyOptions, own func(*trust) error) (trust, error) {
	t, err := with.given()
	if err == nil && t.empty() {
		if t, err = s.named(); err == nil {
			err = own(&t)
		}
	}
	if err == nil && len(t.identities) > 0 {
		t.root, err = s.authorities.get(ctx)
	}
	return t, err
}

// trust is whom a run believes: itself, and whom sign.trust names.
func (r *run) trust(ctx context.Context) (trust, error) {
	return r.believed(ctx, VerifyOptions{}, func(t *trust) error {
		if r.cfg.Sign.Key.Keyless() {
			signer, err := r.key.get()
			if err == nil {
				t.add(signer)
			}
			return err
		}
		public, err := r.key.public()
		t.keys = append(t.keys, public)
		return err
	})
}

// trustedBy is whom flags name, or else whom sign.trust names and the signer.
func (s *surroundings) trustedBy(ctx context.Context, with VerifyOptions, signer *sign.Signer) (trust, error) {
	return s.believed(ctx, with, func(t *trust) error {
		t.add(signer)
		return nil
	})
}

// trusted is whom flags name, or else whom sign.trust names and the public key of sign.key.
func (s *surroundings) trusted(ctx context.Context, with VerifyOptions) (trust, error) {
	return s.believed(ctx, with, func(t *trust) error {
		if key := s.cfg.Sign.Key; key != "" && !key.Keyless() {
			pem, found := publicBeside(key.Ref())
			if !found {
				signer, err := sign.Load(key.Ref(), s.cfg.Sign.Password)
				if err != nil {
					return err
				}
				pem = signer.PublicPEM()
			}
			t.keys = append(t.keys, pem)
		}
		if t.empty() {
			return fmt.Errorf("%w: nobody to verify with: give --key hallmark.pub, or --identity and --issuer; or name them in sign.trust of hallmark.yaml, or the signing key in sign.key", verdict.ErrUsage)
		}
		return nil
	})
}

// add lets what a signer has signed count.
func (t *trust) add(signer *sign.Signer) {
	if who, keyless := signer.Identity(); keyless {
		t.identities = append(t.identities, who)
		return
	}
	t.keys = append(t.keys, signer.PublicPEM())
}

// given is whom flags name; nobody where they name nobody.
func (with VerifyOptions) given() (t trust, err error) {
	for _, file := range with.Keys {
		if t.keys, err = appendKey(t.keys, file); err != nil {
			return t, err
		}
	}
	for _, who := range with.Identities {
		if err := who.Check(); err != nil {
			return t, err
		}
	}
	t.identities = with.Identities
	return t, nil
}

func (t trust) empty() bool { return len(t.keys)+len(t.identities) == 0 }
