package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// commands are what the input command may ask for. Each returns what it did and found as a report, so that log, summary
// and outputs are the same for all of them.
var commands = map[string]func(*step, context.Context) (*report.Report, error){
	"run":     (*step).run,
	"build":   (*step).build,
	"check":   (*step).check,
	"scan":    (*step).scan,
	"verify":  (*step).verify,
	"promote": (*step).promote,
}

func (s *step) run(ctx context.Context) (*report.Report, error) {
	return pipeline.Run(ctx, s.cfg, s.options)
}

// begun is the report of a command that does one step.
func (s *step) begun(name string) *report.Report {
	now := time.Now()
	return &report.Report{
		Version: report.Version, RunID: s.options.RunID, Hallmark: version, Image: s.cfg.Image, Started: now,
		Steps: []report.Step{{Name: name, State: report.NotReached, Started: now}},
	}
}

// through completes the report of a command that ended with err, or with a verdict on the image.
func through(rep *report.Report, judged verdict.Verdict, detail string, err error) (*report.Report, error) {
	rep.Elapsed = time.Since(rep.Started)
	at := &rep.Steps[0]
	at.Elapsed, at.Detail, at.Verdict, at.State = rep.Elapsed, detail, judged, report.Done
	rep.Verdict, rep.ExitCode = judged, judged.ExitCode()
	if err != nil {
		rep.Verdict, rep.ExitCode, at.Verdict = verdict.OfError(err), verdict.ExitCodeOf(err), verdict.OfError(err)
		rep.Headline = verdict.Plain(err)
		at.Detail, at.Reason = "", rep.Headline
		if known := (*verdict.Error)(nil); errors.As(err, &known) {
			rep.Next = known.Remedy
		}
	}
	if rep.Verdict != verdict.Pass {
		at.State = report.Failed
		if at.Reason == "" {
			at.Reason = detail
		}
	}
	return rep, err
}

func (s *step) build(ctx context.Context) (*report.Report, error) {
	rep := s.begun("build")
	built, err := pipeline.Build(ctx, s.cfg, s.options, "")
	if err != nil {
		return through(rep, verdict.Inconclusive, "", err)
	}
	rep.Subject, rep.Platforms, rep.Bases = subject.Subject{Repository: pipeline.Repository(s.cfg.Image), Digest: built.Digest}, built.Platforms, built.Bases
	rep.Engine.Reason = built.Engine
	rep.Headline = subject.Short(built.Digest) + " is built; nothing was checked, pushed or signed"
	return through(rep, verdict.Pass, fmt.Sprintf("%s, %d cached", verdict.Plural(built.Steps, "step"), built.Cached), nil)
}

// inspect opens the image of the input reference, or builds the project's, and lets look say what it is worth.
func (s *step) inspect(ctx context.Context, name string, look func(context.Context, *report.Report, *pipeline.Inspected) (verdict.Verdict, string, error)) (rep *report.Report, err error) {
	rep = s.begun(name)
	in, err := pipeline.Inspect(ctx, s.cfg, s.options, s.in.reference)
	if err != nil {
		return through(rep, verdict.Inconclusive, "", err)
	}
	defer in.Close()
	ctx, task := progress.Start(ctx, "%s", name)
	defer func() { task.End(err) }()
	rep.Image = in.Name
	if repository, digest, found := strings.Cut(in.Name, "@"); found {
		rep.Subject = subject.Subject{Repository: repository, Digest: digest}
	}
	judged, detail, err := look(ctx, rep, in)
	verdict.Sort(rep.Findings)
	rep.Headline = fmt.Sprintf("The %s passes: %s", name, detail)
	if judged == verdict.Fail {
		rep.Headline = fmt.Sprintf("The %s gate stops the image: %s", name, detail)
	}
	return through(rep, judged, detail, err)
}

func (s *step) check(ctx context.Context) (*report.Report, error) {
	return s.inspect(ctx, "check", func(ctx context.Context, rep *report.Report, in *pipeline.Inspected) (verdict.Verdict, string, error) {
		result, err := in.Check(ctx, s.cfg.Check.Packs)
		if err != nil {
			return verdict.Inconclusive, "", err
		}
		rep.Findings, rep.Waivers = result.Findings, s.cfg.Check.VerdictWaivers()
		for _, pack := range result.Packs {
			rep.Packs = append(rep.Packs, report.Pack{Name: pack.Name, Version: pack.Version, Digest: pack.Digest})
		}
		return result.Verdict, verdict.Plural(result.Rules, "rule") + ": " + pipeline.Tally(result.Findings), nil
	})
}

func (s *step) scan(ctx context.Context) (*report.Report, error) {
	return s.inspect(ctx, "scan", func(ctx context.Context, rep *report.Report, in *pipeline.Inspected) (verdict.Verdict, string, error) {
		result, err := in.Scan(ctx)
		if err != nil {
			return verdict.Inconclusive, "", err
		}
		rep.Findings = result.Findings
		rep.Scan = report.Scan{Packages: result.Packages, FailOn: string(s.cfg.Scan.FailOn), Database: report.Database{
			Source: result.Database.Source, Digest: result.Database.Digest, Updated: result.Database.UpdatedAt,
			Age: time.Since(result.Database.UpdatedAt), Note: result.Database.Note,
		}}
		if err := s.keepBill(result.Write); err != nil {
			rep.Notes = append(rep.Notes, err.Error())
		}
		return result.Verdict, verdict.Plural(result.Packages, "package") + ": " + pipeline.Tally(result.Findings), nil
	})
}

func (s *step) verify(ctx context.Context) (*report.Report, error) {
	rep := s.begun("verify")
	note, err := judging(s.cfg, s.folder, s.given, s.in.who(), s.facts)
	if err != nil {
		return nil, err
	}
	v, err := pipeline.Verify(ctx, s.cfg, s.options, s.in.reference, s.in.who())
	if err != nil {
		return through(rep, verdict.Inconclusive, "", err)
	}
	verified(rep, v)
	if note != "" {
		rep.Notes = append(rep.Notes, note)
	}
	return through(rep, v.Verdict, v.Headline, nil)
}

// verified is what a verification says, in the report's words.
func verified(rep *report.Report, v *report.Verification) {
	rep.Image, rep.Subject, rep.Evidence, rep.Headline, rep.Next, rep.Notes = v.Ref, v.Subject, v.Evidence, v.Headline, v.Next, v.Notes
	for _, missing := range v.Missing {
		rep.Findings = append(rep.Findings, verdict.Finding{
			ID: missing.Kind, Gate: "promote", Kind: "evidence", Severity: verdict.High, Title: missing.Kind, Message: missing.Reason,
			Remedy: missing.Remedy, Blocking: true,
		})
	}
	if v.Verdict != verdict.Pass {
		rep.Notes = append(rep.Notes, notBelieved(v.Rejected)...)
	}
}

// notBelieved says why what is missing may be there all the same: a few of the reasons, the most frequent first.
func notBelieved(rejected []report.Rejected) (notes []string) {
	const most = 3
	times := map[string]int{}
	for _, r := range rejected {
		times[r.Reason]++
	}
	reasons := slices.SortedFunc(maps.Keys(times), func(a, b string) int {
		return cmp.Or(cmp.Compare(times[b], times[a]), strings.Compare(a, b))
	})
	for _, reason := range reasons[:min(most, len(reasons))] {
		notes = append(notes, fmt.Sprintf("Beside the image, and not believed (%d): %s", times[reason], foreign.Short(reason, 300)))
	}
	return notes
}

func (s *step) promote(ctx context.Context) (*report.Report, error) {
	rep := s.begun("promote")
	golden, v, err := pipeline.Promote(ctx, s.cfg, s.options, s.in.reference, s.in.who())
	if v != nil {
		verified(rep, v)
	}
	rep.Golden = golden
	if err != nil {
		return through(rep, verdict.Inconclusive, "", err)
	}
	rep.Headline = rep.Subject.Short() + " is golden"
	if len(golden) > 0 {
		rep.Headline += ": " + golden[0].Ref
	}
	return through(rep, verdict.Pass, "golden under "+verdict.Plural(len(golden), "tag"), nil)
}

// keepBill leaves the bill of materials where a run does.
func (s *step) keepBill(write func(w io.Writer, format string) error) error {
	path := s.options.Home.Bill(s.options.RunID)
	if err := os.MkdirAll(s.options.Home.Run(s.options.RunID), 0o755); err != nil {
		return fmt.Errorf("making the folder of the run: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	return errors.Join(write(file, "cyclonedx"), file.Close())
}
