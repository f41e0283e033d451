package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// launch starts the staged image on each configured target, asks the probes, takes it down, and signs what came of it.
func (r *run) launch(ctx context.Context, s staged, standing standing) error {
	return r.book.step(ctx, stepLaunch, func(ctx context.Context) (outcome, error) {
		if len(r.cfg.Launch) == 0 {
			return skip("hallmark.yaml names no launch"), nil
		}
		var done, skipped []string
		for i, cfg := range r.cfg.Launch {
			inputs, err := launchInputs(cfg, launch.Method)
			if err != nil {
				return outcome{}, err
			}
			slot := slotOf(cfg)
			if v, stands := standing.find(evidence.KindLaunch, slot, inputs); stands {
				r.book.reuse(v)
				r.book.launchedBefore(v)
				skipped = append(skipped, fmt.Sprintf("passed on %s: %s", day(v.At), v.Summary.Text))
				continue
			}
			result, err := r.launchOne(ctx, s, cfg, i)
			if result != nil { // an interrupted one, too: it may have left something behind
				r.book.launched(result)
			}
			if err != nil {
				return outcome{}, err
			}
			unsigned := r.testify(ctx, s, result, inputs)
			if err := r.book.launchGate(result, i, len(cfg.Probes)); err != nil {
				if unsigned != nil { // what the launch said of the image is not less true for that
					progress.From(ctx).Warnf("How the launch ended could not be signed: %v", unsigned)
				}
				return outcome{}, err
			}
			if unsigned != nil {
				return outcome{}, unsigned
			}
			done = append(done, fmt.Sprintf("%s: %s passed", slot, verdict.Plural(len(result.Probes), "probe")))
		}
		if len(done) == 0 {
			return skip("%s", strings.Join(skipped, "; ")), nil
		}
		return did("%s", strings.Join(append(done, skipped...), "; ")), nil
	})
}

// slotOf is how evidence tells launches apart.
func slotOf(cfg config.Launch) string { return string(cfg.Target) + "/" + string(cfg.Profile) }

// launchOne runs one launch, on an engine folder of its own: the layers are really pulled, as a consumer would.
func (r *run) launchOne(ctx context.Context, s staged, cfg config.Launch, index int) (*launch.Result, error) {
	if cfg.Target == workspaceTarget {
		return r.launchInWorkspace(ctx, s, cfg, index)
	}
	options := r.engineOptions()
	options.Root = r.home.launchEngine()
	runner, err := engine.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	defer runner.Close()
	target, err := sandbox.New(sandbox.Options{Engine: runner, Credentials: r.registry.Credentials})
	if err != nil {
		return nil, err
	}
	return launch.Run(ctx, target, launch.Spec{
		Subject: s.subject, Profile: launch.Profile(cfg.Profile), Probes: probes(cfg.Probes),
		Limits:  launch.Limits{Memory: int64(cfg.Limits.Memory), CPUs: cfg.Limits.CPUs, PIDs: cfg.Limits.PIDs},
		Runtime: sparkRuntime(cfg), Scripts: scripts(cfg.InitScripts),
		Timeout: time.Duration(cfg.Timeout), RunID: r.id, Owner: r.owner,
		LogPath: filepath.Join(r.home.run(r.id), fmt.Sprintf("launch-%d-%s-%s.log", index+1, cfg.Target, cfg.Profile)),
	})
}

// probes turns the configured ones into the launch room's.
func probes(all []config.Probe) []launch.Probe {
	var out []launch.Probe
	for _, p := range all {
		switch {
		case p.SparkPi != nil:
			out = append(out, launch.Probe{Kind: launch.SparkPi, Partitions: p.SparkPi.Partitions, Timeout: time.Duration(p.SparkPi.Timeout)})
		case p.Run != nil:
			out = append(out, launch.Probe{Kind: launch.Command, Args: p.Run.Args, Contains: p.Run.Expect, Matches: p.Run.Matches, ExitCode: p.Run.Exit, Timeout: time.Duration(p.Run.Timeout)})
		case p.Python != nil:
			out = append(out, launch.Probe{Kind: launch.Python, Code: p.Python.Code, Contains: p.Python.Expect, Matches: p.Python.Matches, ExitCode: p.Python.Exit, Timeout: time.Duration(p.Python.Timeout)})
		case p.SQL != nil:
			out = append(out, launch.Probe{Kind: launch.SQL, Code: p.SQL.Query, Contains: p.SQL.Expect, Matches: p.SQL.Matches, Timeout: time.Duration(p.SQL.Timeout)})
		case p.Scala != nil:
			out = append(out, launch.Probe{Kind: launch.Scala, Code: p.Scala.Code, Contains: p.Scala.Expect, Matches: p.Scala.Matches, Timeout: time.Duration(p.Scala.Timeout)})
		case p.Pip != nil:
			out = append(out, launch.Probe{
				Kind: launch.Pip, From: p.Pip.From, Args: p.Pip.Packages, Code: p.Pip.Code, Contains: p.Pip.Expect, Matches: p.Pip.Matches, Timeout: time.Duration(p.Pip.Timeout),
			})
		case p.HTTP != nil:
			out = append(out, launch.Probe{
				Kind: launch.HTTP, Port: p.HTTP.Port, Path: p.HTTP.Path, Status: p.HTTP.Status, Contains: p.HTTP.Expect, Timeout: time.Duration(p.HTTP.Timeout),
			})
		default:
			if probe, known := workspaceProbe(p); known {
				out = append(out, probe)
			}
		}
	}
	return out
}

// testify signs how the launch ended, pass or fail. What is not known is no evidence, and is not signed.
func (r *run) testify(ctx context.Context, s staged, result *launch.Result, inputs string) error {
	if result.Verdict == verdict.Inconclusive {
		return nil
	}
	statement, err := evidence.Launched(s.subject, asEvidence(result), r.mark(inputs, result.Verdict))
	if err != nil {
		return err
	}
	signer, err := r.key.get()
	if err != nil {
		return err
	}
	if err := signer.Attest(ctx, r.registry, statement, sign.AttestOptions{Tags: r.cfg.Sign.Tags}); err != nil {
		return err
	}
	r.book.signed(signer, false, []evidence.Statement{statement})
	return nil
}

// asEvidence is all of a launch that is testified: where it ran, when, on what, and what each script and probe came to.
func asEvidence(result *launch.Result) evidence.Launch {
	limits := map[string]string{}
	for _, limit := range result.Limits {
		limits[limit.Name] = limit.Asked + " enforced"
		if !limit.Enforced {
			limits[limit.Name] = limit.Asked + " not enforced: " + limit.Note
		}
	}
	l := evidence.Launch{
		Target: result.Target, Profile: string(result.Profile), Runtime: result.Runtime, Limits: limits, Started: result.Started, Finished: result.Finished,
	}
	for _, fact := range result.Facts {
		l.Facts = append(l.Facts, evidence.Fact(fact))
	}
	for _, s := range result.Scripts {
		l.Scripts = append(l.Scripts, evidence.Script{Name: s.Name, Digest: s.Digest, Note: s.Note, ExitCode: s.ExitCode, Elapsed: s.Elapsed.Milliseconds()})
	}
	for _, p := range result.Probes {
		if p.Verdict == "" {
			continue // never asked: nothing to testify
		}
		l.Probes = append(l.Probes, evidence.Probe{Name: p.Name, Verdict: p.Verdict, Reason: p.Reason, Elapsed: p.Elapsed.Milliseconds()})
	}
	return l
}

// launchGate stops a candidate whose launch failed, with what failed among the findings, each with the field of
// hallmark.yaml that asked for it. An inconclusive launch has none. index is the launch's in the configuration, probes how
// many it names there.
func (b *book) launchGate(result *launch.Result, index, probes int) error {
	found := placed(result, index, probes)
	b.findings(found)
	if len(found) == 0 {
		return result.Err()
	}
	return stopped{&verdict.Error{
		Verdict: result.Verdict, Code: result.Code, Doing: "the launch gate stops the image", Cause: errors.New(result.Reason), Remedy: result.Remedy,
	}}
}

// placed are the findings of a launch at its place in the configuration, those of probes at the probes'.
func placed(result *launch.Result, index, probes int) []verdict.Finding {
	found := result.Findings()
	var failed []int // which probes the findings are about, in their order
	for i, p := range result.Probes {
		if p.Verdict == verdict.Fail {
			failed = append(failed, i)
		}
	}
	for i := range found {
		found[i].Place.Setting = fmt.Sprintf("launch[%d]", index)
		if result.Code == launch.CodeProbe && len(found) == len(failed) && len(result.Probes) == probes {
			found[i].Place.Setting += fmt.Sprintf(".probes[%d]", failed[i])
		}
	}
	return found
}

func (b *book) launched(result *launch.Result) {
	b.unknown(result.Target, string(result.Profile))
	l := report.Launch{
		Target: result.Target, Profile: string(result.Profile), ID: result.ID, Verdict: result.Verdict, Reason: result.Reason, Remedy: result.Remedy,
		Started: result.Started, Elapsed: result.Finished.Sub(result.Started), Runtime: result.Runtime, LogPath: result.LogPath, LogTail: result.LogTail,
	}
	for _, limit := range result.Limits {
		l.Limits = append(l.Limits, report.Limit(limit))
	}
	for _, fact := range result.Facts {
		l.Facts = append(l.Facts, report.Fact(fact))
	}
	for _, p := range result.Probes {
		l.Probes = append(l.Probes, report.Probe{Name: p.Name, Verdict: p.Verdict, Elapsed: p.Elapsed, Reason: cmp.Or(p.Reason, p.Skipped), Remedy: p.Remedy, Output: p.Output})
	}
	for _, event := range result.Events {
		l.Events = append(l.Events, report.Event(event))
	}
	for _, text := range result.Notes {
		b.note(text)
	}
	b.write(func(r *report.Report) { r.Launches = append(r.Launches, l) })
}

// unknown notes what a launch with the profile leaves unknown.
func (b *book) unknown(target, profile string) {
	if profile == string(launch.Databricks) && target != string(workspaceTarget) {
		b.note("The launch with the profile databricks does the platform's steps on this machine: " + launch.Unknown + ".")
	}
}

// launchedBefore writes down a launch that stands signed already.
func (b *book) launchedBefore(v evidence.Verified) {
	before, _, err := evidence.ParseLaunched(v.Statement)
	if err != nil {
		return // it was read before, or it would not stand
	}
	b.unknown(before.Target, before.Profile)
	l := report.Launch{
		Target: before.Target, Profile: before.Profile, Verdict: v.Summary.Verdict, Runtime: before.Runtime,
		Started: before.Started, Elapsed: before.Finished.Sub(before.Started), Reused: true,
	}
	for _, name := range slices.Sorted(maps.Keys(before.Limits)) {
		asked, note, enforced := strings.Cut(before.Limits[name], " enforced")
		if strings.HasSuffix(asked, " not") {
			asked, enforced = strings.TrimSuffix(asked, " not"), false
		}
		l.Limits = append(l.Limits, report.Limit{Name: name, Asked: asked, Enforced: enforced, Note: strings.TrimPrefix(note, ": ")})
	}
	for _, fact := range before.Facts {
		l.Facts = append(l.Facts, report.Fact(fact))
	}
	for _, p := range before.Probes {
		l.Probes = append(l.Probes, report.Probe{Name: p.Name, Verdict: p.Verdict, Reason: p.Reason, Elapsed: time.Duration(p.Elapsed) * time.Millisecond})
	}
	b.write(func(r *report.Report) { r.Launches = append(r.Launches, l) })
}
