package pipeline

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"golang.org/x/sync/errgroup"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	own "github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/registry/faults"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// stagedImage is an image with all its evidence in a registry behind a proxy that can be told to misbehave.
type stagedImage struct {
	*surroundings
	signer   *sign.Signer
	subject  subject.Subject
	before   string // what golden points to
	injector *faults.Injector
	armed    atomic.Bool
}

// newStaged pushes two images, the older one golden, the newer one staged with signature and evidence.
func newStaged(t *testing.T, origin string, signer *sign.Signer) *stagedImage {
	t.Helper()
	s := &stagedImage{signer: signer, injector: &faults.Injector{}}
	s.injector.Match = func(*http.Request) bool { return s.armed.Load() }
	proxy, err := faults.Proxy(origin, s.injector)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(proxy)
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(front.Close)

	repository := strings.TrimPrefix(front.URL, "http://") + "/team/spark"
	cfg, err := config.Load(t.TempDir(), nil, []string{"image=" + repository})
	if err != nil {
		t.Fatal(err)
	}
	client, err := own.New(own.Options{RetryWait: time.Millisecond, MaxRetries: 2, RetryFor: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.surroundings = &surroundings{cfg: cfg, home: Home(t.TempDir()), version: "test", repository: repository, registry: client}
	s.before = s.push(t).Digest
	if err := client.Tag(t.Context(), subject.Subject{Repository: repository, Digest: s.before}, "golden", own.TagOptions{}); err != nil {
		t.Fatal(err)
	}
	s.subject = s.push(t)
	if err := signer.AttestAll(t.Context(), client, s.subject, fullEvidence(t, s.subject), sign.AttestOptions{Signature: true}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stagedImage) push(t *testing.T) subject.Subject {
	t.Helper()
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	at := subject.Subject{Repository: s.repository, Digest: digest.String()}
	if _, err := s.registry.Upload(t.Context(), img, s.repository); err != nil {
		t.Fatal(err)
	}
	if err := s.registry.PutManifest(t.Context(), at, img); err != nil {
		t.Fatal(err)
	}
	return at
}

// fullEvidence is what a run signs about an image that passed every gate.
func fullEvidence(t *testing.T, at subject.Subject) []evidence.Statement {
	t.Helper()
	mark := func(v verdict.Verdict) evidence.Mark {
		return evidence.Mark{Inputs: evidence.Inputs(nil), At: time.Now(), Verdict: v, Run: "test"}
	}
	var all []evidence.Statement
	add := func(statement evidence.Statement, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, statement)
	}
	pack := evidence.Pack{Name: "base", Version: "1", Digest: "sha256:" + strings.Repeat("a", 64)}
	add(evidence.Provenance(at, evidence.Build{Dockerfile: "Dockerfile", Builder: "https://example.com/builder"}, mark("")))
	add(evidence.CycloneDX(at, []byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}`), mark("")))
	add(evidence.Vulnerabilities(at, evidence.Scan{Scanner: "pkg:generic/scanner", Database: evidence.Database{Digest: pack.Digest, Updated: time.Now()}}, mark(verdict.Pass)))
	add(evidence.Checked(at, evidence.Check{Verifier: "https://example.com/check", Packs: []evidence.Pack{pack}, Rules: 1}, mark(verdict.Pass)))
	add(evidence.Launched(at, evidence.Launch{Target: "sandbox", Profile: "spark", Probes: []evidence.Probe{{Name: "pi", Verdict: verdict.Pass}}}, mark(verdict.Pass)))
	return all
}

func (s *stagedImage) golden(ctx context.Context) (string, error) {
	digest, _, err := s.registry.Head(ctx, s.repository, "golden")
	return digest, err
}

func (s *stagedImage) tryPromotion(ctx context.Context) error {
	_, _, err := s.surroundings.promote(ctx, s.signer, trust{keys: [][]byte{s.signer.PublicPEM()}}, s.subject.String(), []string{"golden"})
	return err
}

// recorded says whether the signed record of the move stands beside the image.
func (s *stagedImage) recorded(ctx context.Context) (bool, error) {
	found, err := sign.Verify(ctx, s.registry, s.subject, sign.Policy{Keys: [][]byte{s.signer.PublicPEM()}})
	if err != nil {
		return false, err
	}
	_, stands := evidence.Newest(found.Evidence, func(v evidence.Verified) bool { return v.Summary.Kind == evidence.KindPromotion })
	return stands, nil
}

// A whole promotion, verification and record included, meets one fault at each of its requests in turn. Afterwards golden
// is untouched or on the image, whose evidence is all there; and promoting once more ends with golden moved and recorded.
func TestPromotionUnderFaults(t *testing.T) {
	t.Parallel()
	signer, err := sign.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	for name, backend := range backends {
		for _, kind := range faults.Kinds {
			for _, lasting := range []int{1, 30} {
				lost := kind == faults.ResetAfter || kind == faults.Unavailable
				if (lasting > 1 || name == "embedded") && !lost {
					continue // the others take the same paths; package promote tries them all on both
				}
				t.Run(fmt.Sprintf("%s/%s/%d", name, kind, lasting), func(t *testing.T) {
					t.Parallel()
					var each errgroup.Group
					each.SetLimit(8)
					for at := range promotionRequests(t, backend(t), signer) {
						each.Go(func() error {
							s := newStaged(t, backend(t), signer)
							if err := s.underFault(t, faults.Fault{At: at + 1, For: lasting, Kind: kind}); err != nil {
								return fmt.Errorf("fault at request %d: %w", at+1, err)
							}
							return nil
						})
					}
					if err := each.Wait(); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// backends are the registries that tests run against: one lists referrers, the other does not.
var backends = map[string]func(*testing.T) string{"in-process": inProcess, "embedded": embedded}

// inProcess serves go-containerregistry's registry, which keeps everything in memory.
func inProcess(t *testing.T) string {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return server.URL
}

// embedded serves the registry that runs use. Its store goes where syncing costs nothing, if there is such a place.
func embedded(t *testing.T) string {
	root := t.TempDir()
	if memory, err := os.MkdirTemp("/dev/shm", "hallmark-test-"); err == nil {
		root = memory
		t.Cleanup(func() { _ = os.RemoveAll(memory) })
	}
	server, err := own.Serve(t.Context(), own.ServeOptions{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + server.Addr()
}

// promotionRequests counts the requests of a promotion that meets no fault.
func promotionRequests(t *testing.T, backend string, signer *sign.Signer) int {
	t.Helper()
	s := newStaged(t, backend, signer)
	s.armed.Store(true)
	if err := s.tryPromotion(t.Context()); err != nil {
		t.Fatal(err)
	}
	return len(s.injector.Requests())
}

func (s *stagedImage) underFault(t *testing.T, fault faults.Fault) error {
	s.injector.Reset(fault)
	s.armed.Store(true)
	first := s.tryPromotion(t.Context())
	s.armed.Store(false)

	golden, err := s.golden(t.Context())
	if err != nil {
		return err
	}
	switch {
	case golden != s.before && golden != s.subject.Digest:
		return fmt.Errorf("golden is lost: it points to %q", golden)
	case first == nil && golden != s.subject.Digest:
		return fmt.Errorf("it passed, but golden points to %q", golden)
	}
	_, judged, err := s.judge(t.Context(), s.subject, trust{keys: [][]byte{s.signer.PublicPEM()}})
	if err != nil {
		return err
	}
	if judged.Verdict != verdict.Pass {
		return fmt.Errorf("the evidence no longer holds: %s", judged.Findings[0].Message)
	}
	if err := s.tryPromotion(t.Context()); err != nil {
		return fmt.Errorf("the second promotion: %w (the first: %v)", err, first)
	}
	if golden, err = s.golden(t.Context()); err != nil || golden != s.subject.Digest {
		return fmt.Errorf("after the second promotion golden points to %q: %w", golden, err)
	}
	stands, err := s.recorded(t.Context())
	if err != nil {
		return err
	}
	if !stands {
		return fmt.Errorf("golden has moved, and no record of it stands (the first ended with: %v)", first)
	}
	return nil
}
