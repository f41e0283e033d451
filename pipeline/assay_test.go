package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	own "github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// A gate that finds the image wanting has the last word, also where the other gate could not be asked.
func TestAFailureOutweighsAnOutage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, packs string
		found, ends verdict.Verdict // by the findings, and by the error
	}{
		{"a bad image", "check.packs=[base]", verdict.Fail, verdict.Pass},
		{"nothing known against it", "check.packs=[]", verdict.Pass, verdict.Inconclusive},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			host := strings.TrimPrefix(inProcess(t), "http://")
			cfg, err := config.Load(t.TempDir(), nil, []string{"image=" + host + "/team/app", "scan.database.from=127.0.0.1:1/no/database:2", c.packs})
			if err != nil {
				t.Fatal(err)
			}
			client, err := own.New(own.Options{RetryWait: time.Millisecond, MaxRetries: 1, RetryFor: time.Second})
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
			r := &run{book: newBook(nil), surroundings: &surroundings{cfg: cfg, home: Home(t.TempDir()), repository: host + "/team/app", registry: client}}
			at := candidate{
				subject: subject.Subject{Repository: r.repository, Digest: digest.String()}, image: img, made: &build.Candidate{},
				known: check.BuildFacts{Bases: []check.Base{}, Steps: []check.Step{}},
			}
			found, err := r.assay(t.Context(), at, standing{})
			if got := verdict.Of(found.checked.findings); got != c.found || verdict.OfError(err) != c.ends {
				t.Fatalf("the findings say %s, the error %v", got, err)
			}
			for _, step := range r.book.report.Steps {
				if step.Name == stepScan && (step.State != report.Failed || step.Verdict != verdict.Inconclusive) {
					t.Errorf("the scan is told as %s, %s", step.State, step.Verdict)
				}
			}
		})
	}
}
