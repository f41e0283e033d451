package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/display"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// actionCommand is what the GitHub Action's launcher calls: `action main` for the step, `action post` after the job.
func (a *app) actionCommand() *cobra.Command {
	command := group(&cobra.Command{
		Use: "action", Hidden: true,
		Short: "Be the GitHub Action: for its launcher, which passes inputs in the runner's environment",
	})
	main := &cobra.Command{
		Use: "main", Args: cobra.NoArgs, Short: "Do what the step's inputs ask for",
		RunE: func(cmd *cobra.Command, _ []string) error {
			step, err := a.newStep()
			if err != nil {
				return err
			}
			return ended{step.main(cmd.Context())}
		},
	}
	post := &cobra.Command{
		Use: "post", Args: cobra.NoArgs, Short: "Take down what the step left behind",
		RunE: func(cmd *cobra.Command, _ []string) error {
			step, err := a.newStep()
			if err != nil {
				return err
			}
			return ended{step.post(cmd.Context())}
		},
	}
	command.AddCommand(main, post)
	return command
}

// step is one step of a workflow that uses the action.
type step struct {
	*app
	env   ci.Env
	facts ci.Facts
	says  ci.Speaker
	in    inputs
	told  teller

	folder  string   // folder or file of the configuration, as config.Load takes it
	given   []string // what stands above the configuration
	cfg     *config.Config
	options pipeline.Options
	written map[string]string // output -> file
}

func (a *app) newStep() (*step, error) {
	env := ci.Env(os.Getenv)
	facts := ci.Detect(env)
	if facts.System != ci.GitHub {
		return nil, fmt.Errorf("%w: this verb is for the GitHub Action's launcher: GITHUB_ACTIONS is not true. Use hallmark run, hallmark check, …", verdict.ErrUsage)
	}
	s := &step{app: a, env: env, facts: facts, says: ci.Speak(ci.GitHub, a.out.File, env), in: readInputs(env)}
	s.told = teller{says: s.says, workspace: facts.Workspace, elsewhere: s.in.reference != ""}
	return s, nil
}

// main does what the inputs ask for, tells the runner of it, and returns the exit code.
func (s *step) main(ctx context.Context) int {
	secret.Announce(s.says.Mask)
	defer secret.Announce(nil)
	s.in.mask(s.env)

	rep, err := s.do(ctx)
	if ctx.Err() != nil {
		err = interrupted{}
	}
	code := verdict.ExitCodeOf(err)
	if rep != nil {
		code = rep.ExitCode
		s.files(rep)
		s.present(rep)
	}
	if err != nil && (rep == nil || code == verdict.ExitInterrupted) {
		s.told.failure(err, code)
	}
	s.outputs(rep, code, err)
	if failed := s.says.Err(); failed != nil {
		fmt.Fprintln(s.err, "hallmark: telling the runner: "+foreign.Text(failed.Error()))
	}
	return code
}

// do checks the inputs and does what they ask for. The report is nil where nothing could begin.
func (s *step) do(ctx context.Context) (*report.Report, error) {
	do, known := commands[s.in.command]
	if !known {
		return nil, fmt.Errorf("%w: the input command is %q: it takes run, build, check, scan, verify or promote", verdict.ErrUsage, foreign.Short(s.in.command, 80))
	}
	if err := s.in.check(); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	if s.in.command == "promote" {
		if err := mayPromote(s.facts); err != nil {
			return nil, err
		}
	}
	s.debug()
	var rep *report.Report
	err := s.watched(ctx, func(ctx context.Context) (err error) {
		rep, err = do(s, ctx)
		return err
	})
	return rep, err
}

// debug shows where the step runs and what its configuration amounts to, if somebody has switched on the debug log.
func (s *step) debug() {
	shows, able := s.says.(interface{ Debug(text string) })
	if !s.facts.Debug || !able {
		return
	}
	var text bytes.Buffer
	facts := json.NewEncoder(&text)
	facts.SetIndent("", "  ")
	if err := errors.Join(facts.Encode(s.facts), s.cfg.Print(&text, true)); err != nil {
		text.WriteString(err.Error())
	}
	shows.Debug(text.String())
}

// watched shows progress in the step's log, a group for each step of the pipeline.
func (s *step) watched(ctx context.Context, work func(context.Context) error) error {
	shown := display.New(s.says.Log(), display.Options{Mode: display.Plain, Sections: s.says})
	err := work(progress.With(ctx, shown))
	return errors.Join(err, shown.Close())
}

// present shows the report: the board in the log, annotations at their places, the summary on the job's page.
func (s *step) present(rep *report.Report) {
	s.says.Close()
	if err := report.Board(s.says.Log(), *rep, 120, false); err != nil {
		s.told.note(err.Error())
	}
	if s.cfg.Reports.Annotations {
		s.told.findings(rep, s.cfg)
		s.told.broken(rep, s.cfg)
	}
	s.told.end(rep, s.cfg)
	if s.cfg.Reports.Summary {
		s.told.summary(rep)
	}
}

// post takes down what the step left behind, if the runner ended it before it could do so itself. It may be called again.
func (s *step) post(ctx context.Context) int {
	secret.Announce(s.says.Mask)
	defer secret.Announce(nil)
	s.in.mask(s.env)
	home := pipeline.Home(s.env("STATE_home"))
	if home == "" {
		fmt.Fprintln(s.says.Log(), "Nothing was begun, so nothing is left")
		return s.quietly(nil)
	}
	left, err := pipeline.SweepEngines(ctx, home, s.env("STATE_engine"))
	clusters, failed := s.clusters(ctx, s.env("STATE_run"))
	left, err = append(left, clusters...), errors.Join(err, failed)
	for _, what := range left {
		fmt.Fprintln(s.says.Log(), "Taken down: "+foreign.Line(what))
	}
	if len(left) == 0 && err == nil {
		fmt.Fprintln(s.says.Log(), "Nothing was left behind")
	}
	return s.quietly(err)
}

// clusters deletes what the run's launches have left in the workspaces that main noted before it launched anything.
func (s *step) clusters(ctx context.Context, run string) (left []string, err error) {
	if run == "" {
		return nil, nil
	}
	var places []pipeline.Workspace
	if err := json.Unmarshal([]byte(s.env("STATE_workspaces")), &places); err != nil {
		return nil, fmt.Errorf("looking for clusters of the run %s: the step's state does not say in which workspaces (%w). Look with `hallmark cleanup`", run, err)
	}
	var failed []error
	for _, place := range places {
		with := pipeline.CleanupOptions{Run: run, Profile: place.Profile, Host: place.Host}
		swept, err := pipeline.Cleanup(ctx, &config.Config{}, with, os.Getenv)
		for _, found := range swept {
			switch found.Action {
			case databricks.Removed:
				left = append(left, fmt.Sprintf("cluster %s in %s: %s", found.ID, found.Workspace, found.Why))
			case databricks.NotRemoved:
				failed = append(failed, fmt.Errorf("the cluster %s of this job in %s is still there: %s. End it with `hallmark cleanup --run %s`", found.ID, found.Workspace, found.Why, run))
			}
		}
		failed = append(failed, err)
	}
	return left, errors.Join(failed...)
}

// quietly ends the post step: what could not be taken down is a warning, for the job has ended and its result stands.
func (s *step) quietly(err error) int {
	if err != nil {
		s.says.Annotate(ci.Annotation{Level: ci.Warning, Title: "Hallmark", Message: err.Error()})
	}
	_ = s.says.Err()
	return verdict.ExitPass
}
