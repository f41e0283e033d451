package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func evidenceOf(s subject.Subject) []check.Evidence {
	at := now.Add(-time.Hour)
	all := []check.Evidence{
		{PredicateType: evidence.TypeProvenance},
		{PredicateType: evidence.TypeCycloneDX},
		{PredicateType: evidence.TypeVulnerabilities, Verdict: verdict.Pass, DatabaseUpdatedAt: at.Add(-24 * time.Hour)},
		{PredicateType: evidence.TypeChecked, Verdict: verdict.Pass},
		{PredicateType: evidence.TypeLaunched, Verdict: verdict.Pass, Target: "sandbox"},
	}
	for i := range all {
		all[i].Subject, all[i].Signer, all[i].At, all[i].Ref = s, "key sha256:11", at, "ref"
	}
	return all
}

// TestPromotion tells the cases of a promotion in the words that people read. The pack's own tests cover each rule.
func TestPromotion(t *testing.T) {
	t.Parallel()
	s := subject.Subject{Repository: "registry.example.com/spark", Digest: "sha256:" + strings.Repeat("a", 64)}
	other := subject.Subject{Repository: s.Repository, Digest: "sha256:" + strings.Repeat("b", 64)}
	pack := load(t, "promotion")[0]
	var b strings.Builder
	for _, c := range []struct {
		name    string
		spoil   func(in *check.PromotionInput)
		verdict verdict.Verdict
	}{
		{"all is there", func(*check.PromotionInput) {}, verdict.Pass},
		{"nothing is there", func(in *check.PromotionInput) { in.Evidence = nil }, verdict.Fail},
		{"no launch", func(in *check.PromotionInput) { in.Evidence = in.Evidence[:4] }, verdict.Fail},
		{"the launch failed", func(in *check.PromotionInput) { in.Evidence[4].Verdict = verdict.Fail }, verdict.Fail},
		{"the check is about another image", func(in *check.PromotionInput) { in.Evidence[3].Subject = other }, verdict.Fail},
		{"the launch is of another signer", func(in *check.PromotionInput) {
			in.Evidence[4].Signer = "key sha256:99"
			in.Params = map[string]any{"signers": []string{"key sha256:11"}}
		}, verdict.Fail},
		{"the scan is old", func(in *check.PromotionInput) {
			in.Evidence[2].At = now.AddDate(0, -1, 0)
			in.Evidence[2].DatabaseUpdatedAt = now.AddDate(0, -1, 0)
		}, verdict.Fail},
		{"the check is of no day, the scan of a far one", func(in *check.PromotionInput) {
			in.Evidence[3].At = time.Time{}
			in.Evidence[2].At = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		}, verdict.Fail},
		{"the database was old", func(in *check.PromotionInput) { in.Evidence[2].DatabaseUpdatedAt = now.AddDate(-1, 0, 0) }, verdict.Fail},
		{"a target is missing, and that is waived", func(in *check.PromotionInput) {
			in.Params = map[string]any{"targets": []string{"sandbox", "kubernetes"}}
			in.Waivers = []verdict.Waiver{waiver("promotion.targets", "2026-03-31")}
		}, verdict.Pass},
	} {
		in := check.PromotionInput{Subject: s, Evidence: evidenceOf(s), Now: now}
		c.spoil(&in)
		result, err := check.Promotion(t.Context(), in, pack)
		if err != nil {
			t.Fatal(err)
		}
		if result.Verdict != c.verdict {
			t.Errorf("%s: %s, want %s", c.name, result.Verdict, c.verdict)
		}
		b.WriteString("# " + c.name + "\n" + text(result.Findings) + "\n")
	}
	goldentest.Compare(t, "testdata/promotion.golden", b.String())
}
