package launch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const (
	// terminateWithin bounds the taking down, which has a context of its own: a cancelled run still cleans up.
	terminateWithin = 30 * time.Second
	logsWithin      = 20 * time.Second
	// logLimit bounds the log file; targets bound what they hand out, but need not.
	logLimit  = 64 << 20
	shownTail = 16 << 10
)

// Run launches spec.Subject on the target, puts the probes in their order, reads the logs, and takes everything down,
// whatever happened. The result holds the verdict: an image at fault or an outage is no error. The error is for a spec
// that cannot be launched (verdict.ErrUsage) and for a context that was cancelled, then beside the result so far.
func Run(ctx context.Context, target Target, spec Spec) (*Result, error) {
	started := time.Now()
	spec, err := spec.check(started)
	if err != nil {
		return nil, err
	}
	result := &Result{
		RunID: spec.RunID, Target: target.Name(), Profile: spec.Profile, Subject: spec.Subject,
		Started: started, Limits: spec.Limits.Asked(), Probes: unasked(spec.Probes),
	}
	within, cancel := context.WithDeadline(ctx, spec.Deadline)
	defer cancel()

	cluster, err := start(within, target, spec)
	if cluster != nil {
		result.ID = cluster.ID()
	}
	up, left := err == nil, time.Until(spec.Deadline)
	if up {
		err = ask(within, cluster, spec, result)
	}
	switch {
	case cluster == nil:
	case ctx.Err() != nil: // whoever interrupts may soon kill: what costs money goes first
		result.takeDown(ctx, cluster)
		result.readLogs(ctx, cluster, spec.LogPath)
	default:
		result.readLogs(ctx, cluster, spec.LogPath)
		result.takeDown(ctx, cluster)
	}
	result.conclude(ctx, err, up, left, cluster, spec)
	if late, ok := cluster.(Deliverer); ok && ctx.Err() == nil { // whoever interrupts does not wait
		result.readDelivered(ctx, late, spec.LogPath)
	}
	result.Finished = time.Now()
	return result, context.Cause(ctx)
}

// start launches, shown as one task.
func start(ctx context.Context, target Target, spec Spec) (Cluster, error) {
	ctx, task := progress.Start(ctx, "start %s on %s", spec.Profile, target.Name())
	cluster, err := target.Launch(ctx, spec)
	task.End(err)
	return cluster, err
}

// ask puts the probes in their order. One that fails does not keep the next from being put; one that cannot be put does.
func ask(ctx context.Context, cluster Cluster, spec Spec, result *Result) error {
	for i, probe := range spec.Probes {
		if err := askOne(ctx, cluster, probe, &result.Probes[i]); err != nil {
			return err
		}
	}
	return nil
}

func askOne(ctx context.Context, cluster Cluster, probe Probe, result *ProbeResult) error {
	watched, task := progress.Start(ctx, "probe %s", probe.Name)
	within, cancel := context.WithTimeout(watched, probe.Timeout)
	defer cancel()
	started := time.Now()
	out, err := cluster.Probe(within, probe)
	result.Elapsed = time.Since(started)
	result.Output = shown(probe, out)

	ruled := judge(probe, out)
	if err != nil {
		if ruled = overdue(ctx, err, probe, out); ruled.verdict == "" {
			launch := asError(err)
			result.Verdict, result.Reason, result.Remedy, result.Skipped = launch.Verdict, launch.Reason, launch.Remedy, ""
			task.End(err)
			return err
		}
	}
	result.Verdict, result.Skipped, result.Reason, result.Remedy = ruled.verdict, ruled.skipped, ruled.reason, ruled.remedy
	switch {
	case ruled.skipped != "":
		task.Skip("%s", ruled.skipped)
	case ruled.verdict == verdict.Pass:
		task.End(nil)
	default:
		task.End(errors.New(ruled.reason))
	}
	return nil
}

// overdue rules on a probe that did not answer in its own time while the launch as a whole still has some: the image
// is at fault. Anything else is left to the caller.
func overdue(ctx context.Context, err error, probe Probe, out Output) ruling {
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return ruling{}
	}
	why := Explain(out.Text)
	return blame(fmt.Sprintf("%s does not end within %s%s", probe.Name, probe.Timeout, because(why.Reason)),
		cmp.Or(why.Remedy, "Find out what it waits for, or give the probe a longer timeout"))
}

// readLogs writes the cluster's log to a file and keeps its end. A log that cannot be had is a note, not a verdict.
func (r *Result) readLogs(ctx context.Context, cluster Cluster, path string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logsWithin)
	defer cancel()
	if err := r.copyLog(ctx, cluster, path); err != nil {
		r.note("the cluster's log cannot be kept: %v", err)
	}
}

func (r *Result) copyLog(ctx context.Context, cluster Cluster, path string) error {
	log, err := cluster.Logs(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	tail, err := keepLog(log, path, os.O_TRUNC)
	if err != nil {
		return err
	}
	r.LogTail, r.LogPath = tail, path
	return nil
}

// readDelivered puts what was delivered after the end below the rest of the log. What passed has told enough of itself for
// people to see: then only the file has it. It is never a verdict.
func (r *Result) readDelivered(ctx context.Context, cluster Deliverer, path string) {
	log := cluster.Delivered(ctx, r.Verdict)
	if log == nil {
		return
	}
	defer log.Close()
	tail, err := keepLog(log, path, os.O_APPEND)
	if err != nil {
		r.note("the delivered logs cannot be kept: %v", err)
		return
	}
	r.LogPath = path
	if r.Verdict != verdict.Pass {
		r.LogTail += tail
	}
}

// keepLog writes a log to a file, if there is one, without the secrets in it, and returns its end.
func keepLog(log io.Reader, path string, mode int) (string, error) {
	tail := &Tail{Most: shownTail}
	to := io.Writer(tail)
	if path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|mode, 0o600)
		if err != nil {
			return "", err
		}
		defer file.Close()
		clean := &redacted{to: file}
		defer clean.flush()
		to = io.MultiWriter(clean, tail)
	}
	if _, err := io.Copy(to, io.LimitReader(log, logLimit)); err != nil {
		return "", err
	}
	return secret.Redact(tail.String()), nil
}

func (r *Result) takeDown(ctx context.Context, cluster Cluster) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), terminateWithin)
	defer cancel()
	shown, task := progress.Start(ctx, "take down %s", cluster.ID())
	err := cluster.Terminate(shown)
	task.End(err)
	if err != nil {
		r.note("taking the cluster down: %v", err)
		r.Notes = append(r.Notes, leftBehind(cluster.ID(), err))
	}
	state := cluster.State()
	r.Runtime, r.MemoryPeak, r.Scripts, r.Facts = state.Runtime, state.MemoryPeak, state.Scripts, state.Facts
	if len(state.Limits) > 0 {
		r.Limits = state.Limits
	}
	r.Events = append(state.Events, r.Events...)
}

// leftBehind is what people must know of a cluster that could not be taken down.
func leftBehind(id string, err error) string {
	e := (*Error)(nil)
	if !errors.As(err, &e) || e.Reason == "" {
		return secret.Redact(fmt.Sprintf("The cluster %s could not be taken down: %s.", id, foreign.Short(err.Error(), 400)))
	}
	text := secret.Redact(strings.TrimRight(e.Reason, "."))
	text = strings.ToUpper(text[:1]) + text[1:] + "."
	if e.Remedy != "" {
		text += " " + strings.TrimRight(e.Remedy, ".") + "."
	}
	return text
}

func (r *Result) note(format string, args ...any) {
	r.Events = append(r.Events, Event{At: time.Now(), Text: fmt.Sprintf(format, args...)})
}

// conclude makes one verdict of how the launch went and what the probes said. Left is the time that they had.
func (r *Result) conclude(ctx context.Context, err error, up bool, left time.Duration, cluster Cluster, spec Spec) {
	defer r.explainUnasked()
	switch {
	case ctx.Err() != nil:
		r.fail(&Error{Verdict: verdict.Inconclusive, Code: CodeInterrupted, Reason: "the launch was interrupted", Remedy: "Run the same command again"})
		return
	case err != nil && isOverdue(err) && !up:
		r.fail(&Error{
			Verdict: verdict.Inconclusive, Code: CodeTimeout,
			Reason: fmt.Sprintf("nothing was up when the launch's %s were over", spec.Timeout.Round(time.Second)),
			Remedy: "Give the launch a longer timeout, or look for what slows the target down",
		})
	case err != nil && isOverdue(err) && !r.hadItsTime(spec.Probes):
		r.fail(&Error{
			Verdict: verdict.Inconclusive, Code: CodeTimeout,
			Reason: fmt.Sprintf("the probes were not through when the launch's %s were over: %s of them were left when the cluster was up, and the running probe had not had its own time",
				spec.Timeout.Round(time.Second), roughly(left)),
			Remedy: "Give the launch a longer timeout, or its probes shorter ones, or look in the launch's log for what slows it down",
		})
	case err != nil && isOverdue(err):
		r.fail(&Error{
			Verdict: verdict.Fail, Code: CodeTimeout,
			Reason: fmt.Sprintf("the probes were not through when the launch's %s were over", spec.Timeout.Round(time.Second)),
			Remedy: "Find out what hangs in the launch's log, or give the launch a longer timeout",
		})
	case err != nil:
		r.fail(asError(err))
		r.Events = append(r.Events, asError(err).Events...)
	default:
		r.Verdict = verdict.Pass
		for _, probe := range r.Probes {
			if probe.Verdict != "" && verdict.Worse(r.Verdict, probe.Verdict) != r.Verdict {
				r.Verdict, r.Code, r.Reason, r.Remedy = probe.Verdict, CodeProbe, probe.Reason, probe.Remedy
			}
		}
	}
	if r.Verdict == verdict.Fail && cluster != nil {
		r.blameLimit(cluster.State(), spec.Limits)
	}
}

// hadItsTime says that the probe that ran last had all of its own timeout, and not only what the launch had left.
func (r *Result) hadItsTime(probes []Probe) bool {
	for i, probe := range slices.Backward(probes) {
		if r.Probes[i].Elapsed > 0 {
			return r.Probes[i].Elapsed >= probe.Timeout
		}
	}
	return false
}

// roughly is a time as people say it: 1m30s, 250ms.
func roughly(d time.Duration) time.Duration {
	if d = max(d, 0); d < 10*time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// isOverdue says that err is the launch's own deadline and nothing that a target explains.
func isOverdue(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) && !errors.As(err, new(*Error))
}

// blameLimit names the limit that was behind a failure: the log of a killed process does not know it.
func (r *Result) blameLimit(state State, limits Limits) {
	switch {
	case state.OOMKilled && r.Code != CodeMemory:
		r.Reason = fmt.Sprintf("the memory limit of %s killed a process of the image; %s", Bytes(limits.Memory), r.Reason)
		r.Code, r.Remedy = CodeMemory, "Make the image need less memory, or raise launch.limits.memory"
	case state.PIDsExhausted && r.Code != CodePIDs:
		r.Reason = fmt.Sprintf("the limit of %d processes was reached; %s", limits.PIDs, r.Reason)
		r.Code, r.Remedy = CodePIDs, "Make the image start fewer processes and threads, or raise launch.limits.pids"
	}
}

// unasked lists the probes as they stand before any is put.
func unasked(probes []Probe) []ProbeResult {
	results := make([]ProbeResult, len(probes))
	for i, probe := range probes {
		results[i] = ProbeResult{Name: probe.Name, Kind: probe.Kind, Skipped: notReached}
	}
	return results
}

const notReached = "not reached"

func (r *Result) explainUnasked() {
	for i := range r.Probes {
		if r.Probes[i].Skipped == notReached && r.Probes[i].Verdict == "" {
			r.Probes[i].Skipped = "the launch ended before this probe"
		}
	}
}

// shown is what people see of an answer: the end of an output, the beginning of a page.
func shown(probe Probe, out Output) string {
	if probe.Kind == HTTP {
		return foreign.Short(out.Text, 400)
	}
	if (probe.Kind == SQL || probe.Kind == Scala) && strings.Contains(out.Text, answerEnds) {
		out.Text = answer(out.Text) // without what the shell says around it
	}
	return secret.Redact(end(out.Text, shownTail))
}

// end is the last so many bytes of text, from the beginning of a line.
func end(text string, most int) string {
	tail := Tail{Most: most}
	_, _ = tail.Write([]byte(text))
	return tail.String()
}
