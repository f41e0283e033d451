package sign_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// impatient is a client that repeats nothing, so that each fault is felt.
func impatient(t *testing.T, injector *faults.Injector) *registry.Client {
	t.Helper()
	c, err := registry.New(registry.Options{DockerConfig: t.TempDir(), RetryWait: time.Millisecond, MaxRetries: -1, Transport: injector})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// everywhere calls try with the fault at each of the requests that a run without faults makes, many at once: most of
// the time is spent waiting.
func everywhere(t *testing.T, c *registry.Client, host string, try func(t *testing.T, at subject.Subject, faulty *registry.Client) error) {
	t.Helper()
	count := &faults.Injector{}
	if err := try(t, pushed(t, c, host, "spark"), impatient(t, count)); err != nil {
		t.Fatal(err)
	}
	for _, kind := range faults.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			group := errgroup.Group{}
			group.SetLimit(16)
			for n := range len(count.Requests()) + 1 {
				at, faulty := pushed(t, c, host, "spark"), impatient(t, &faults.Injector{Faults: []faults.Fault{{At: n + 1, Kind: kind}}})
				group.Go(func() error {
					if err := try(t, at, faulty); err != nil {
						return fmt.Errorf("request %d: %w", n+1, err)
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whatever goes wrong at whichever request of attesting, nobody is blamed for it, a second run finishes the job, and
// nothing stands twice.
func TestFaultsWhileAttesting(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"stand-in tag", "referrers API"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			c, signer := newClient(t), newSigner(t)
			everywhere(t, c, servers[server](t), func(t *testing.T, at subject.Subject, faulty *registry.Client) error {
				all := []evidence.Statement{checked(t, at, time.Hour)}
				first := signer.AttestAll(t.Context(), faulty, at, all, sign.AttestOptions{Signature: true})
				if first != nil && verdict.OfError(first) != verdict.Inconclusive {
					return first
				}
				if err := signer.AttestAll(t.Context(), c, at, all, sign.AttestOptions{Signature: true}); err != nil {
					return fmt.Errorf("%w, and then again: %w", first, err)
				}
				r, err := sign.Verify(t.Context(), c, at, sign.Policy{Keys: trusting(signer), Now: now})
				if err != nil || len(r.Signatures) != 2 || len(r.Evidence) != 1 || len(r.Superseded) != 0 || len(r.Rejected) != 0 {
					return fmt.Errorf("after %w: %+v, %w", first, r, err)
				}
				return nil
			})
		})
	}
}

// Whatever goes wrong at whichever request of verifying, the answer is either right or an inconclusive error: never
// that evidence is missing which is there.
func TestFaultsWhileVerifying(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"stand-in tag", "referrers API"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			c, signer := newClient(t), newSigner(t)
			host := servers[server](t)
			at := pushed(t, c, host, "spark")
			if err := signer.AttestAll(t.Context(), c, at, []evidence.Statement{checked(t, at, time.Hour)}, sign.AttestOptions{Signature: true}); err != nil {
				t.Fatal(err)
			}
			everywhere(t, c, host, func(t *testing.T, _ subject.Subject, faulty *registry.Client) error {
				r, err := sign.Verify(t.Context(), faulty, at, sign.Policy{Keys: trusting(signer), Now: now})
				switch {
				case err != nil && verdict.OfError(err) != verdict.Inconclusive:
					return err
				case err == nil && (len(r.Signatures) != 2 || len(r.Evidence) != 1 || len(r.Rejected) != 0):
					return fmt.Errorf("%+v", r)
				}
				return nil
			})
		})
	}
}
