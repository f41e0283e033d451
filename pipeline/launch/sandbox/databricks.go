package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/inside"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// upDatabricks goes through the platform's steps. The container's first process is the helper: nothing of the image is
// started but what the steps ask for.
func (c *cluster) upDatabricks(ctx context.Context) error {
	c.stage(launch.StagePulled)
	for _, step := range []func(context.Context) error{c.keep, c.copyRuntime, c.configure, c.findBash, c.runScripts, c.startDriver} {
		if err := step(ctx); err != nil {
			return c.stepFault(ctx, err)
		}
	}
	return nil
}

// keep starts the process that holds the container open.
func (c *cluster) keep(ctx context.Context) error {
	env := append(c.image.environment(c.plan.Env...), c.held.Env())
	p, err := c.exec(ctx, "container", append([]string{helperInside}, inside.HoldArgs()...), env, false)
	if err != nil {
		return c.cannotStart("container", err)
	}
	c.processes = append(c.processes, p)
	c.event("the container was made; the image's entry point and command are ignored, and everything runs as root")
	return nil
}

func (c *cluster) copyRuntime(ctx context.Context) error {
	started := time.Now()
	report, _, err := c.ask(ctx, "hallmark", inside.CopyArgs(c.shown[c.spec.Runtime], launch.RuntimePlaces...))
	if err == nil && report.TimedOut {
		err = context.DeadlineExceeded
	}
	if err != nil {
		return err
	}
	if report.Error != "" {
		code := launch.CodeEngine
		if strings.Contains(report.Error, "no space left on device") {
			code = launch.CodeDisk
		}
		e := launch.Missing("copying the runtime "+c.spec.Runtime+" into the container: "+report.Error, "See that the folder is readable and that the disk has room for a copy of it")
		e.Code = code
		return e
	}
	// Python workers, scripts and probes find the runtime by this.
	for _, entry := range c.spec.Env { // one that is there twice would be read by some as the one, by others as the other
		name, _, _ := strings.Cut(entry, "=")
		c.plan.Env = slices.DeleteFunc(c.plan.Env, func(before string) bool { return strings.HasPrefix(before, name+"=") })
		c.plan.Env = append(c.plan.Env, entry)
	}
	c.plan.Env = append(c.plan.Env, "SPARK_HOME="+report.Body)
	c.event("the runtime %s was copied to %s, %d files in %s", c.spec.Runtime, report.Body, report.Files, round(time.Since(started)))
	return nil
}

// configure adds to Spark's configuration, in its own file: all that starts a driver reads that.
func (c *cluster) configure(ctx context.Context) error {
	if len(c.spec.Conf) == 0 {
		return nil
	}
	home, _ := c.lookup("SPARK_HOME")
	return c.Put(ctx, home+"/conf/spark-defaults.conf", []byte(launch.Properties(c.spec.Conf)))
}

func (c *cluster) stage(stage launch.Stage) {
	if c.spec.OnStage != nil {
		c.mu.Lock()
		scripts := slices.Clone(c.scripts)
		c.mu.Unlock()
		c.spec.OnStage(stage, scripts)
	}
}

func (c *cluster) findBash(ctx context.Context) error {
	report, _, err := c.ask(ctx, "hallmark", inside.RunArgs(left(ctx, c.spec.Timeout), []string{"bash", "-c", ":"}))
	if err == nil && report.NoCommand {
		return launch.NoBash()
	}
	return err
}

// runScripts runs the init scripts, the next when the one before has ended well.
func (c *cluster) runScripts(ctx context.Context) error {
	c.stage(launch.StageScripts)
	for _, script := range c.spec.Scripts {
		path := script.Path
		if !script.Inside {
			path = c.shown[script.Path]
		}
		report, _, err := c.ask(ctx, "hallmark", inside.SumArgs(path))
		switch {
		case err != nil:
			return err
		case report.NoCommand:
			return launch.NoScript(script)
		case report.Error != "":
			e := launch.NoScript(script)
			e.Reason = "the init script " + script.Name() + " cannot be read: " + report.Error
			return e
		}
		if err := c.runScript(ctx, script, path, "sha256:"+report.Body); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) runScript(ctx context.Context, script launch.Script, path, digest string) error {
	started := time.Now()
	within := left(ctx, launch.ScriptWithin)
	report, p, err := c.ask(ctx, "init script "+script.Name(), inside.ScriptArgs(within, "bash", path))
	result := launch.ScriptResult{Name: script.Name(), Digest: digest, ExitCode: report.ExitCode, Elapsed: time.Since(started)}
	if p != nil {
		result.Output = secret.Redact(p.output.Tail())
	}
	c.mu.Lock()
	c.scripts = append(c.scripts, result)
	c.mu.Unlock()
	late := report.TimedOut || errors.Is(err, context.DeadlineExceeded)
	if err != nil && !late {
		return err
	}
	if late {
		c.event("the init script %s (%s) was ended after %s", result.Name, digest, round(result.Elapsed))
	} else {
		c.event("the init script %s (%s) ended with exit code %d after %s", result.Name, digest, result.ExitCode, round(result.Elapsed))
	}
	if fault := launch.JudgeScript(script, result, within, late); fault != nil {
		return fault
	}
	return nil
}

// startDriver finds out what the image has for a driver, starts one, and has it count.
func (c *cluster) startDriver(ctx context.Context) error {
	c.stage(launch.StageDriver)
	_, p, err := c.ask(ctx, "hallmark", inside.RunArgs(left(ctx, c.spec.Timeout), launch.SurveyExec().Args))
	if err != nil {
		return err
	}
	survey := launch.ParseSurvey(p.output.Tail())
	if fault := launch.NoJava(survey); fault != nil {
		return fault
	}
	if survey.Python != "" {
		c.plan.Env = append(c.plan.Env, "PYSPARK_PYTHON="+survey.Python, "PYSPARK_DRIVER_PYTHON="+survey.Python)
	}
	started := time.Now()
	most := c.spec.DriverBound()
	within := left(ctx, most)
	report, p, err := c.ask(ctx, "driver", inside.RunArgs(within, launch.DriverExec().Args))
	late := report.TimedOut || errors.Is(err, context.DeadlineExceeded)
	if late && within < most { // the launch's time was over before the driver's own
		return context.DeadlineExceeded
	}
	if err != nil && !late {
		return err
	}
	out := launch.Output{ExitCode: report.ExitCode}
	if p != nil {
		out.Text = p.output.Tail()
	}
	if !late {
		within = 0
	}
	if fault := launch.JudgeDriver(survey, c.spec.Runtime, out, within); fault != nil {
		return fault
	}
	versions, err := launch.DriverVersions(out)
	if err != nil {
		return err
	}
	python := "no Python"
	if survey.Python != "" {
		python = "Python at " + survey.Python
	}
	c.mu.Lock()
	c.driver, c.survey = versions, survey
	c.mu.Unlock()
	c.event("a driver came up in %s: %s; java at %s, %s", round(time.Since(started)), versions, survey.Java, python)
	c.event("what this launch cannot know: %s", launch.Unknown)
	return nil
}

// stepFault prefers the container's death to what a step says of it.
func (c *cluster) stepFault(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return givenUp(ctx, c.spec, "the driver was not up in time")
	}
	if dead := c.alive(); dead != nil {
		return dead
	}
	return err
}

// lookup finds a variable of what runs in the container: the plan's go before the image's.
func (c *cluster) lookup(name string) (string, bool) {
	for i := len(c.plan.Env) - 1; i >= 0; i-- {
		if value, found := strings.CutPrefix(c.plan.Env[i], name+"="); found {
			return value, true
		}
	}
	return c.image.lookup(name)
}

// place is where a probe finds a file of this machine.
func (c *cluster) place(probe launch.Probe) launch.Probe {
	if probe.From != "" {
		probe.From = c.shown[probe.From]
	}
	return probe
}

// insideName is the last part of a path, as a name below /dev that keeps its ending: pip reads a wheel's name.
func insideName(n int, path string) string {
	return fmt.Sprintf("/dev/hallmark-files/%d/%s", n, filepath.Base(path))
}
