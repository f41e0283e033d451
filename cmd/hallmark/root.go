package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/display"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// app is what all verbs share: the global flags and the streams.
type app struct {
	configPath string
	sets       []string
	progress   string
	output     string
	home       string
	ci         string

	out, err *stream

	started bool // a verb has begun: errors from here on are not about the command line
}

// ended is returned by a verb that has told its result already; only its exit code is left to say.
type ended struct{ code int }

func (e ended) Error() string { return fmt.Sprintf("ended with exit code %d", e.code) }

// interrupted is the end of a verb that somebody stopped, however the libraries below it word that.
type interrupted struct{}

func (interrupted) Error() string {
	return "interrupted; everything that was launched has been taken down"
}

func (interrupted) Unwrap() error { return context.Canceled }

// group makes a command that only holds others: cobra would print its help for a word that it does not know, and pass.
func group(command *cobra.Command) *cobra.Command {
	command.Args = cobra.NoArgs
	command.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return command
}

// execute runs one command line and returns the process's exit code.
func execute(ctx context.Context, args []string, out, errOut *os.File) int {
	a := &app{}
	system := ci.Detect(os.Getenv).System
	a.out = newStream(out, system, func() bool { return a.output == "json" })
	a.err = newStream(errOut, system, func() bool { return a.progress == "json" })
	defer a.err.flush()
	defer a.out.flush()
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)

	err := root.ExecuteContext(ctx)
	var done ended
	switch {
	case err == nil:
		return verdict.ExitPass
	case errors.As(err, &done):
		return done.code
	case ctx.Err() != nil:
		err = interrupted{}
	case !a.started:
		err = fmt.Errorf("%w: %w. See hallmark --help", verdict.ErrUsage, err)
	}
	fmt.Fprintln(a.err, "hallmark: "+foreign.Text(verdict.Plain(err)))
	return verdict.ExitCodeOf(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hallmark",
		Short: "Build, check, scan, sign, stage, launch and promote golden images",
		Long: `Hallmark takes a container image from its Dockerfile to its golden tag: it builds the image, checks
minimum-requirement policies, scans and signs it, pushes it to a staging tag, launches a single-node
cluster from it, and retags it as golden once that passes. The digest that was tested is the one that ships.

Exit codes: 0 pass, 1 fail (the image), 2 usage or configuration, 3 inconclusive (its surroundings; retry),
4 conflict (someone else moved the golden tag), 130 interrupted.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.configPath, "config", "f", "", "configuration file (default: hallmark.yaml in this folder, where there is one)")
	flags.StringArrayVar(&a.sets, "set", nil, "override one setting, for example --set scan.fail_on=critical (repeatable)")
	flags.StringVar(&a.progress, "progress", "auto", "how progress is shown on stderr: auto, tty, plain, json, quiet")
	flags.StringVarP(&a.output, "output", "o", "text", "how the result is printed on stdout: text or json")
	flags.StringVar(&a.home, "home", "", "folder for everything that outlives a run (default: $HALLMARK_HOME, else the user's data folder)")

	flags.StringVar(&a.ci, "ci", ciAuto, "CI system to speak to: auto, off, or its name (see hallmark help init)")

	root.AddCommand(
		a.runCommand(), a.buildCommand(), a.checkCommand(), a.scanCommand(), a.verifyCommand(), a.promoteCommand(),
		a.registryCommand(), a.emulateCommand(), a.cleanupCommand(), a.keyCommand(), a.configCommand(), a.schemaCommand(), a.versionCommand(),
		a.initCommand(), a.doctorCommand(), a.actionCommand(), a.engineCommand(), a.probeCommand(),
	)
	return root
}

// options are what every call into package pipeline needs besides the configuration.
func (a *app) options() (pipeline.Options, error) {
	home := pipeline.Home(a.home)
	if a.home == "" {
		var err error
		if home, err = pipeline.DefaultHome(); err != nil {
			return pipeline.Options{}, err
		}
	}
	return pipeline.Options{Home: home, Version: version}, nil
}

// watched runs work with its progress shown the way the flags ask for.
func (a *app) watched(ctx context.Context, title string, work func(context.Context) error) error {
	options, err := display.Choose(display.Mode(a.progress), a.err.File, os.Getenv)
	if err != nil {
		return err
	}
	options.Title, options.Clear = title, true
	shown := display.New(a.err, options)
	err = work(progress.With(ctx, shown))
	return errors.Join(err, shown.Close())
}

// wantsJSON says whether the result is for a machine.
func (a *app) wantsJSON() (bool, error) {
	switch a.output {
	case "text":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, fmt.Errorf("%w: --output %q is neither text nor json", verdict.ErrUsage, a.output)
	}
}
