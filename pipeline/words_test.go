package pipeline

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/scan"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestStagingTag(t *testing.T) {
	t.Parallel()
	run := newRunID(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
	if !regexp.MustCompile(`^20260701-120000-[0-9a-f]{6}$`).MatchString(run) {
		t.Errorf("the run id is %q", run)
	}
	if other := newRunID(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)); other == run {
		t.Errorf("two runs of one second have the same id %q", run)
	}
	valid := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`) // what the OCI distribution specification allows
	for revision, want := range map[string]string{
		"":                   "staging-" + run + "-0123456789ab",
		"4f2c1d9e0a11-dirty": "staging-4f2c1d9e0a11-dirty-" + run + "-0123456789ab",
	} {
		if got := stagingTag(revision, run, "0123456789ab"); got != want || !valid.MatchString(got) {
			t.Errorf("revision %q: %q, want %q", revision, got, want)
		}
	}
}

func TestRepositoryOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"spark":                           EmbeddedHost + "/spark",
		"spark:golden":                    EmbeddedHost + "/spark:golden",
		"team/spark":                      EmbeddedHost + "/team/spark",
		"localhost/spark":                 "localhost/spark",
		"registry:5000/spark":             "registry:5000/spark",
		"registry.example.com/team/spark": "registry.example.com/team/spark",
	} {
		if got := repositoryOf(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	note := verdict.Finding{ID: "base.labels", Message: "no label"}
	first := verdict.Finding{ID: "spark.tini", Gate: "check", Message: "tini is not on the PATH", Remedy: "Install tini", Blocking: true, Place: verdict.Place{Dockerfile: "Dockerfile:7"}}
	second := verdict.Finding{ID: "CVE-1", Gate: "scan", Title: "bad", Blocking: true}
	if err := gate([]verdict.Finding{note}, nil); err != nil {
		t.Errorf("a finding that does not block stops the run: %v", err)
	}
	err := gate([]verdict.Finding{note}, []verdict.Finding{first, second})
	if verdict.OfError(err) != verdict.Fail || verdict.ExitCodeOf(err) != verdict.ExitFail {
		t.Fatalf("a blocking finding gives %v", err)
	}
	for _, want := range []string{"the check gate", "spark.tini", "tini is not on the PATH", "Dockerfile:7", "and 1 more", "Install tini"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if withoutGate(stopped{err}) != nil {
		t.Error("the other gate would not get to speak")
	}
	if other := errors.New("no disk"); !errors.Is(withoutGate(other), other) {
		t.Error("an error of the surroundings is lost")
	}
}

func TestStandingFindsOnlyWhatAnswersTheSameQuestion(t *testing.T) {
	t.Parallel()
	at := func(day int) time.Time { return time.Date(2026, 7, day, 0, 0, 0, 0, time.UTC) }
	has := func(kind evidence.Kind, slot, inputs string, v verdict.Verdict, day int) evidence.Verified {
		return evidence.Verified{Summary: evidence.Summary{Kind: kind, Slot: slot, Inputs: inputs, Verdict: v}, At: at(day)}
	}
	s := standing{evidence: []evidence.Verified{
		has(evidence.KindCheck, "", "a", verdict.Pass, 1), has(evidence.KindCheck, "", "a", verdict.Pass, 2),
		has(evidence.KindVulnerabilities, "", "a", verdict.Fail, 3), has(evidence.KindLaunch, "sandbox/spark", "a", verdict.Pass, 4),
		has(evidence.KindProvenance, "", "a", "", 5),
	}}
	for _, c := range []struct {
		kind         evidence.Kind
		slot, inputs string
		day          int // 0: nothing stands
	}{
		{evidence.KindCheck, "", "a", 2},
		{evidence.KindCheck, "", "b", 0},
		{evidence.KindVulnerabilities, "", "a", 0},
		{evidence.KindLaunch, "sandbox/spark", "a", 4},
		{evidence.KindLaunch, "sandbox/service", "a", 0},
		{evidence.KindProvenance, "", "a", 5},
	} {
		v, found := s.find(c.kind, c.slot, c.inputs)
		if found != (c.day > 0) || found && !v.At.Equal(at(c.day)) {
			t.Errorf("%s %s %s: found %t of %s", c.kind, c.slot, c.inputs, found, v.At)
		}
	}
}

func TestScanInputsChangeWithWhatDecides(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	base := config.Scan{FailOn: verdict.High, Secrets: true, Ignore: []config.Ignore{{ID: "CVE-1", Until: "2026-07-10"}}}
	inputs := func(cfg config.Scan, digest string, at time.Time) string {
		got, err := scanInputs(cfg, scan.DatabaseInfo{Digest: digest}, "v1", at)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same, stricter := base, base
	stricter.FailOn = verdict.Medium
	if inputs(base, "a", now) != inputs(same, "a", now.AddDate(0, 0, 1)) {
		t.Error("a day that changes nothing changes the inputs")
	}
	for what, other := range map[string]string{
		"database": inputs(base, "b", now), "setting": inputs(stricter, "a", now), "expiry": inputs(base, "a", now.AddDate(0, 0, 20)),
	} {
		if other == inputs(base, "a", now) {
			t.Errorf("another %s gives the same inputs", what)
		}
	}
	if other, err := scanInputs(base, scan.DatabaseInfo{Digest: "a"}, "v2", now); err != nil || other == inputs(base, "a", now) {
		t.Errorf("another method gives the same inputs (%v)", err)
	}
	if bomInputs("v1") == bomInputs("v2") {
		t.Error("another method lists packages with the same inputs")
	}
	base.VEX = []string{"/does/not/exist"}
	if _, err := scanInputs(base, scan.DatabaseInfo{}, "v1", now); !errors.Is(err, verdict.ErrUsage) {
		t.Errorf("a VEX document that is not there gives %v", err)
	}
}

func TestLaunchInputsChangeWithWhatDecides(t *testing.T) {
	t.Parallel()
	inputs := func(cfg config.Launch, method string) string {
		got, err := launchInputs(cfg, method)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	base := config.Launch{Target: "sandbox", Profile: "service"}
	asked := base
	asked.Probes = []config.Probe{{HTTP: &config.HTTP{Port: 80}}}
	for what, other := range map[string]string{"method": inputs(base, "2"), "probe": inputs(asked, "1")} {
		if other == inputs(base, "1") {
			t.Errorf("another %s gives the same inputs", what)
		}
	}
}

func TestBookWritesDownEveryEnd(t *testing.T) {
	t.Parallel()
	b := newBook(nil)
	ctx := progress.With(t.Context(), b)
	_ = b.step(ctx, stepBuild, func(ctx context.Context) (outcome, error) {
		_, task := progress.Start(ctx, "RUN make")
		task.EndCached()
		return did("%d steps", 3), nil
	})
	_ = b.step(ctx, stepScan, func(context.Context) (outcome, error) { return skip("it stands"), nil })
	cause := &verdict.Error{Verdict: verdict.Inconclusive, Doing: "pushing", Cause: errors.New("connection refused"), Remedy: "Run again"}
	if err := b.step(ctx, stepUpload, func(context.Context) (outcome, error) { return outcome{}, cause }); !errors.Is(err, cause) {
		t.Errorf("the step's error became %v", err)
	}
	got := ""
	for _, s := range b.report.Steps {
		got += fmt.Sprintf("%s=%s/%s ", s.Name, s.State, s.Verdict)
	}
	want := "build=done/pass read=not reached/ check=not reached/ scan=skipped/pass upload=failed/inconclusive stage=not reached/ launch=not reached/ promote=not reached/ "
	if got != want {
		t.Errorf("steps:\n got %s\nwant %s", got, want)
	}
	if len(b.report.Timings) != 1 || b.report.Timings[0].Step != stepBuild || !b.report.Timings[0].Cached {
		t.Errorf("timings: %+v", b.report.Timings)
	}
	b.note("once")
	b.note("once")
	if len(b.report.Notes) != 1 {
		t.Errorf("notes: %q", b.report.Notes)
	}
	if b.report.Steps[4].Remedy != "Run again" || b.report.Steps[4].State != report.Failed {
		t.Errorf("the failed step: %+v", b.report.Steps[4])
	}
}
