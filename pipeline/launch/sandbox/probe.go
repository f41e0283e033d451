package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/inside"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// before is how much earlier than a deadline the helper gives up, so that its report still arrives.
const before = time.Second

// Probe puts one question, from inside the container.
func (c *cluster) Probe(ctx context.Context, probe launch.Probe) (launch.Output, error) {
	if err := c.alive(); err != nil {
		return launch.Output{}, err
	}
	within := left(ctx, probe.Timeout)
	if probe.Kind == launch.HTTP {
		report, _, err := c.ask(ctx, probe.Name, inside.GetArgs(within, probe.URL(), probe.Status, probe.Contains, probe.Matches))
		out, err := heard(launch.Output{Text: report.Body, Status: report.Status, Trouble: report.Error}, err, probe)
		return out, c.afterProbe(err)
	}
	run := launch.ExecFor(c.spec.Profile, c.lookup, c.place(probe))
	command := run.Args
	if run.Entry {
		command = c.image.command(run.Args)
	}
	report, p, err := c.ask(ctx, probe.Name, inside.RunArgs(within, command))
	out := launch.Output{ExitCode: report.ExitCode, NoCommand: report.NoCommand}
	if p != nil {
		out.Text = p.output.Tail()
	}
	if report.Error != "" {
		out.Text += report.Error + "\n"
	}
	out, err = heard(out, err, probe)
	if err == nil && report.TimedOut {
		err = context.DeadlineExceeded
	}
	return out, c.afterProbe(err)
}

// heard turns the silence of the helper into what it is. It gives up by itself before the deadline, and says so: where
// nothing came, it did not get to run, or not far, and that is nobody's fault but the machine's.
func heard(out launch.Output, err error, probe launch.Probe) (launch.Output, error) {
	if !errors.Is(err, context.DeadlineExceeded) {
		return out, err
	}
	out.Fault = &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeEngine,
		Reason: fmt.Sprintf("whoever asks for %s inside the container did not come to an answer within %s, not even to giving up", probe.Name, probe.Timeout),
		Remedy: "See how busy this machine is, and run again; or give the probe a longer timeout",
	}
	return out, nil
}

// afterProbe prefers the container's death to what a probe says of it.
func (c *cluster) afterProbe(err error) error {
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		if dead := c.alive(); dead != nil {
			return dead
		}
	}
	return err
}

// waitFor asks for a page until it answers as it should, the process has ended, or the launch's time is over.
func (c *cluster) waitFor(ctx context.Context, p *process, page launch.Page) error {
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // the helper need not go on when the process is gone
		select {
		case <-p.ended:
			cancel()
		case <-asked.Done():
		}
	}()
	report, _, err := c.ask(asked, "hallmark", inside.GetArgs(left(ctx, c.spec.Timeout), page.URL(), 200, page.Contains, ""))
	if p.hasEnded() {
		return c.ended(p, fmt.Sprintf("before %s answered", page.Name))
	}
	if dead := c.alive(); dead != nil {
		return dead
	}
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), err == nil && report.TimedOut:
		if errors.Is(ctx.Err(), context.Canceled) {
			return givenUp(ctx, c.spec, "")
		}
		return c.notReady(p, page, report)
	default:
		return err
	}
}

// left is the time that the helper may take.
func left(ctx context.Context, most time.Duration) time.Duration {
	if deadline, set := ctx.Deadline(); set {
		if until := time.Until(deadline) - before; until < most {
			most = until
		}
	}
	return max(most, 100*time.Millisecond)
}
