package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
)

// buildFlags override the build's settings in the words that docker build taught everyone.
type buildFlags struct {
	args, contexts, secrets []string
	noCache                 bool
}

func (f *buildFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringArrayVar(&f.args, "build-arg", nil, "NAME=VALUE, a value for an ARG of the Dockerfile; NAME alone takes the value of the environment variable NAME, and counts for nothing where that is not set (repeatable)")
	flags.StringArrayVar(&f.contexts, "build-context", nil, "NAME=FOLDER, NAME=oci-layout://FOLDER or NAME=docker-image://REFERENCE, a named context (repeatable)")
	flags.StringArrayVar(&f.secrets, "build-secret", nil, "ID=env:NAME or ID=file:PATH, a secret for RUN --mount=type=secret (repeatable)")
	flags.BoolVar(&f.noCache, "no-cache", false, "run every build step again")
}

// sets are the flags as overrides of the configuration. environment says what a variable of the environment holds, and
// whether it is set at all.
func (f *buildFlags) sets(environment func(string) (string, bool)) []string {
	var sets []string
	for _, group := range []struct {
		path   string
		values []string
	}{{"build.args", withValues(f.args, environment)}, {"build.contexts", f.contexts}, {"build.secrets", f.secrets}} {
		for _, value := range group.values {
			sets = append(sets, entry(group.path, value))
		}
	}
	if f.noCache {
		sets = append(sets, "build.no_cache=true")
	}
	return sets
}

// withValues completes arguments that are given by name alone, as docker build does.
func withValues(args []string, environment func(string) (string, bool)) []string {
	var complete []string
	for _, arg := range args {
		if arg == "" || strings.Contains(arg, "=") {
			complete = append(complete, arg) // an empty name is refused with the other names that are none
		} else if value, set := environment(arg); set {
			complete = append(complete, arg+"="+value)
		}
	}
	return complete
}

func (a *app) buildCommand() *cobra.Command {
	var build buildFlags
	var output string
	command := &cobra.Command{
		Use:   "build [FOLDER]",
		Short: "Build the image into an OCI layout, and do no more",
		Long: `Build the image that FOLDER's hallmark.yaml describes into an OCI layout and print its digest.
Nothing is checked, pushed or signed.`,
		Example: `  hallmark build --to ./image
  hallmark build images/spark --build-arg SPARK_VERSION=4.0.1 --build-arg HTTP_PROXY`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			cfg, options, err := a.project(args, build.sets(os.LookupEnv)...)
			if err != nil {
				return err
			}
			var built *pipeline.Built
			err = a.watched(cmd.Context(), cfg.Image, func(ctx context.Context) error {
				built, err = pipeline.Build(ctx, cfg, options, output)
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.out).Encode(built)
			}
			fmt.Fprintf(a.out, "%s\n", built.Digest)
			fmt.Fprintf(a.err, "%d steps, %d cached, by %s\nin %s\n", built.Steps, built.Cached, built.Engine, built.Layout)
			return nil
		},
	}
	build.add(command)
	command.Flags().StringVar(&output, "to", "", "copy the OCI layout to this folder, which must not exist yet")
	return command
}
