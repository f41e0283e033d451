package pipeline

import (
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/report"
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
			r, at := wanting(t, inProcess(t), "scan.database.from=127.0.0.1:1/no/database:2", c.packs)
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
