package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/display"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// ciAuto finds the CI system out, ciOff takes none for it.
const (
	ciAuto = "auto"
	ciOff  = "off"
)

// place is where the program runs, or where --ci says that it does.
func (a *app) place() (ci.Facts, error) {
	facts := ci.Detect(os.Getenv)
	switch {
	case a.ci == ciAuto, a.ci == "":
		return facts, nil
	case a.ci == ciOff:
		return ci.Facts{}, nil
	case !slices.Contains(ci.Systems, ci.System(a.ci)):
		return facts, fmt.Errorf("%w: --ci %q is neither auto nor off, nor a system that is known: %s", verdict.ErrUsage, a.ci, systemNames())
	}
	facts.System = ci.System(a.ci)
	return facts, nil
}

func systemNames() string {
	names := make([]string, len(ci.Systems))
	for i, system := range ci.Systems {
		names[i] = string(system)
	}
	return strings.Join(names, ", ")
}

// inCI is a run on a CI system, in whose words it is told.
type inCI struct {
	*app
	facts ci.Facts
	says  ci.Speaker
	told  teller
}

// speaking prepares for a run on the system of facts. Where the result is text it and the progress go to standard output,
// where every system looks for commands; where it is JSON, or standard output a file, they go to standard error.
func (a *app) speaking(facts ci.Facts, asJSON bool) *inCI {
	file := a.out.File
	if info, err := file.Stat(); asJSON || err != nil || info.Mode().IsRegular() {
		file = a.err.File
	}
	says := ci.Speak(facts.System, file, os.Getenv)
	return &inCI{app: a, facts: facts, says: says, told: teller{says: says, workspace: facts.Workspace}}
}

// masking has the system told of every secret, where that is safe: Buildkite's agent learns them by itself. Others would
// find them in the log, which somebody may keep as a file, so they are told only where --ci names the system.
func (c *inCI) masking() func() {
	if c.facts.System != ci.Buildkite && c.app.ci != string(c.facts.System) {
		return func() {}
	}
	secret.Announce(c.says.Mask)
	return func() { secret.Announce(nil) }
}

// limit leaves out of a run what it was told to, in place of what the configuration says, and what it may not do where it
// runs.
func limit(cfg *config.Config, options *pipeline.Options, facts ci.Facts, only, skip []string) (err error) {
	options.CI, options.Compare = facts, facts.System != ci.None
	if len(only)+len(skip) == 0 {
		only, skip = stepNames(cfg.Run.Only), stepNames(cfg.Run.Skip)
	}
	if options.Skip, err = pipeline.Skipping(only, skip); err != nil {
		return err
	}
	if reason := facts.MayNotWrite(); reason != "" {
		options.Skip = pipeline.GatesOnly(reason)
		return pipeline.Restrict(cfg, reason, facts.Workspace)
	}
	return nil
}

func stepNames(steps []config.Step) []string {
	names := make([]string, len(steps))
	for i, step := range steps {
		names[i] = string(step)
	}
	return names
}

// watched shows progress in sections, where it is shown as lines at all.
func (c *inCI) watched(ctx context.Context, title string, work func(context.Context) error) error {
	mode := display.Mode(c.progress)
	if c.facts.System == ci.None || mode != display.Auto && mode != display.Plain && mode != "" {
		return c.app.watched(ctx, title, work)
	}
	shown := display.New(c.says.Log(), display.Options{Mode: display.Plain, Sections: c.says})
	err := work(progress.With(ctx, shown))
	return errors.Join(err, shown.Close())
}

// log is where the board goes.
func (c *inCI) log() io.Writer {
	if c.facts.System == ci.None {
		return c.out
	}
	return c.says.Log()
}

// present tells the system of a run: annotations, outputs, summary, and how it ended.
func (c *inCI) present(rep *report.Report, cfg *config.Config) {
	if c.facts.System == ci.None {
		return
	}
	c.says.Close()
	if cfg.Reports.Annotations {
		c.told.findings(rep, cfg)
		c.told.broken(rep, cfg)
	}
	c.told.end(rep, cfg)
	for _, o := range rep.Outputs() {
		c.says.Output(o.Name, o.Value)
	}
	if cfg.Reports.Summary {
		c.told.summary(rep)
	}
	c.says.Finish(rep.ExitCode == verdict.ExitPass, rep.Headline)
	if err := c.says.Err(); err != nil {
		fmt.Fprintln(c.err, "hallmark: telling "+c.facts.System.Name()+": "+verdict.Plain(err))
	}
}

// refused shows what kept a run from beginning at its place, and is the error itself.
func (c *inCI) refused(err error) error {
	if err != nil && c.facts.System != ci.None {
		c.told.failure(err, verdict.ExitCodeOf(err))
		c.says.Finish(false, verdict.Plain(err))
		_ = c.says.Err()
	}
	return err
}
