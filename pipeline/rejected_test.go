package pipeline

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	own "github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// wanting is a run whose candidate the packs will not have, and the candidate. More settings stand above its own.
func wanting(t *testing.T, host string, more ...string) (*run, candidate) {
	t.Helper()
	repository := strings.TrimPrefix(host, "http://") + "/team/app"
	cfg, err := config.Load(t.TempDir(), nil, append([]string{"image=" + repository, "scan.database.from=demo", "check.packs=[base]"}, more...))
	if err != nil {
		t.Fatal(err)
	}
	client, err := own.New(own.Options{RetryWait: time.Millisecond, MaxRetries: 1, RetryFor: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := sign.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	img, err := random.Image(64, 1) // no system, no user, no labels
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{
		book: newBook(nil), surroundings: &surroundings{cfg: cfg, home: Home(t.TempDir()), repository: repository, registry: client, version: "test"},
		id: "20260101-000000-aaaa", key: opened(signer),
	}
	return r, candidate{
		subject: subject.Subject{Repository: repository, Digest: digest.String()}, image: img, made: &build.Candidate{Dockerfile: cfg.Build.Dockerfile},
		known: check.BuildFacts{Bases: []check.Base{}, Steps: []check.Step{}}, builder: "embedded",
	}
}

// A verdict against an image is signed beside its digest, once, where the registry lists referrers and where it does not;
// and nobody can pull the image for that.
func TestAVerdictAgainstTheImageIsSigned(t *testing.T) {
	t.Parallel()
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := wanting(t, backend(t))
			found, err := r.assay(t.Context(), c, standing{})
			if err != nil || gate(found.checked.findings, found.scanned.findings) == nil {
				t.Fatalf("the gates let it pass: %v", err)
			}
			for again := range 2 { // the second run has nothing new to say
				r.book.report.Evidence = nil
				r.reject(t.Context(), c, found, standing{})
				said := r.said(t, c)
				if kinds := []evidence.Kind{evidence.KindCheck, evidence.KindProvenance, evidence.KindVulnerabilities}; !slices.Equal(kindsOf(said), kinds) {
					t.Fatalf("signed are %v, want %v; notes %q", kindsOf(said), kinds, r.book.report.Notes)
				}
				for _, told := range r.book.report.Evidence {
					if told.Reused != (again == 1) {
						t.Errorf("in run %d the report says of %s: stood before %t", again+1, told.Kind, told.Reused)
					}
				}
				if told := len(r.book.report.Evidence); told != len(said) {
					t.Errorf("run %d reports %d statements, and %d stand", again+1, told, len(said))
				}
				for _, v := range said {
					want := map[evidence.Kind]verdict.Verdict{evidence.KindCheck: verdict.Fail, evidence.KindVulnerabilities: verdict.Pass}[v.Summary.Kind]
					if v.Summary.Verdict != want {
						t.Errorf("%s says %q, want %q", v.Summary.Kind, v.Summary.Verdict, want)
					}
				}
			}
			if _, err := r.registry.Manifest(t.Context(), c.subject); !errors.Is(err, own.ErrNotFound) {
				t.Errorf("the image can be pulled: %v", err)
			}
			if notes := r.book.report.Notes; !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "was not pushed") }) {
				t.Errorf("nobody is told: %q", notes)
			}
		})
	}
}

// An image that was stopped once, and passes later, is published like any other, with the pass as the newest word.
func TestAnImagePassesAfterAVerdictAgainstIt(t *testing.T) {
	t.Parallel()
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, c := wanting(t, backend(t))
			found, err := r.assay(t.Context(), c, standing{})
			if err != nil {
				t.Fatal(err)
			}
			r.reject(t.Context(), c, found, standing{})

			r.book = newBook(nil)
			r.cfg.Check.FailOn = verdict.Critical
			stands, err := r.standing(t.Context(), c.subject)
			if err != nil {
				t.Fatal(err)
			}
			if found, err = r.assay(t.Context(), c, stands); err != nil || gate(found.checked.findings, found.scanned.findings) != nil {
				t.Fatalf("it does not pass: %v, %+v", err, found.checked.findings)
			}
			s, err := r.stage(t.Context(), c, found, stands)
			if err != nil {
				t.Fatal(err)
			}
			if digest, there, err := r.registry.Head(t.Context(), r.repository, s.tag); err != nil || !there || digest != c.subject.Digest {
				t.Errorf("the tag %s is at %q (%v)", s.tag, digest, err)
			}
			for _, v := range r.said(t, c) {
				if v.Summary.Verdict == verdict.Fail {
					t.Errorf("the newest %s says fail", v.Summary.Kind)
				}
			}
			if after, err := r.standing(t.Context(), c.subject); err != nil || !after.present || !after.signed {
				t.Errorf("present %t, signed %t, %v", after.present, after.signed, err)
			}
		})
	}
}

// Who reads cosign's older form alone knows an image by the pass that stands there: what overtakes it stands there, too. An
// image that nobody can pull has no such tag.
func TestAVerdictAgainstWhatIsPublished(t *testing.T) {
	t.Parallel()
	for _, published := range []bool{false, true} {
		r, c := wanting(t, inProcess(t))
		r.cfg.Sign.Tags = true
		found, err := r.assay(t.Context(), c, standing{})
		if err != nil {
			t.Fatal(err)
		}
		if published {
			if err := r.registry.PutManifest(t.Context(), c.subject, c.image); err != nil {
				t.Fatal(err)
			}
		}
		r.reject(t.Context(), c, found, standing{present: published})
		want := []evidence.Kind{evidence.KindCheck, evidence.KindProvenance, evidence.KindVulnerabilities}
		if published { // what it is made of is no news for whoever can pull it
			want = slices.Insert(want, 2, evidence.KindSBOM)
		}
		if said := r.said(t, c); !slices.Equal(kindsOf(said), want) {
			t.Errorf("published %t: signed are %v", published, kindsOf(said))
		}
		older := strings.Replace(c.subject.Digest, ":", "-", 1) + ".att"
		if _, there, err := r.registry.Head(t.Context(), r.repository, older); err != nil || there != published {
			t.Errorf("published %t: the tag %s is there: %t (%v)", published, older, there, err)
		}
	}
}

func (r *run) said(t *testing.T, c candidate) []evidence.Verified {
	t.Helper()
	trust, err := r.trust(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found, err := sign.Verify(t.Context(), r.registry, c.subject, trust.policy(0))
	if err != nil {
		t.Fatal(err)
	}
	return found.Evidence
}

func kindsOf(all []evidence.Verified) []evidence.Kind {
	var kinds []evidence.Kind
	for _, v := range all {
		kinds = append(kinds, v.Summary.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

// A run without the right to sign leaves nothing, and a registry that is gone changes no verdict.
func TestAVerdictThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	r, c := wanting(t, inProcess(t))
	found, err := r.assay(t.Context(), c, standing{})
	if err != nil {
		t.Fatal(err)
	}
	r.book.skips = GatesOnly("it is a fork")
	r.reject(t.Context(), c, found, standing{})
	if said := r.said(t, c); len(said) > 0 {
		t.Errorf("a run that may not sign has signed %v", kindsOf(said))
	}

	r, c = wanting(t, "http://127.0.0.1:1")
	r.reject(t.Context(), c, found, standing{})
	notes, told := r.book.report.Notes, r.book.report.Evidence
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "Why the image was stopped could not be signed: ") || len(told) > 0 {
		t.Errorf("without a registry it says %q and %v", notes, told)
	}
}
