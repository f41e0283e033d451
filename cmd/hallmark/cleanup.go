package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func (a *app) cleanupCommand() *cobra.Command {
	var with pipeline.CleanupOptions
	command := &cobra.Command{
		Use:   "cleanup",
		Short: "End clusters that launches have left behind",
		Long: `Look through the Databricks workspaces that hallmark.yaml launches in (without any, the one that Databricks'
own environment variables name) for clusters that Hallmark has made, and delete for good those that are past their
deadline: what a killed run has left. Clusters without Hallmark's tags are not touched. Launches in the sandbox
leave nothing behind.`,
		Example: `  hallmark cleanup
  hallmark cleanup --run 20261121-191533-97f1df
  hallmark cleanup --older 1h --dry-run --output json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			if with.Older < 0 {
				return fmt.Errorf("%w: --older %s is negative", verdict.ErrUsage, with.Older)
			}
			cfg, _, err := a.project(nil)
			if err != nil {
				return err
			}
			var swept []databricks.Swept
			err = a.watched(cmd.Context(), "cleanup", func(ctx context.Context) error {
				swept, err = pipeline.Cleanup(ctx, cfg, with, os.Getenv)
				return err
			})
			if err != nil && len(swept) == 0 {
				return err
			}
			if shown := a.showSwept(swept, asJSON); shown != nil {
				return errors.Join(shown, err)
			}
			if err != nil {
				return err
			}
			for _, s := range swept {
				if s.Action == databricks.NotRemoved {
					return ended{verdict.ExitInconclusive}
				}
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&with.Run, "run", "", "only clusters of this run, whatever their deadline")
	flags.DurationVar(&with.Older, "older", time.Duration(0), "only clusters whose deadline was at least so long ago, for example 1h")
	flags.BoolVar(&with.DryRun, "dry-run", false, "only tell what would be ended")
	flags.StringVar(&with.Profile, "profile", "", "profile of .databrickscfg, instead of the workspaces of hallmark.yaml")
	flags.StringVar(&with.Host, "host", "", "address of the workspace, instead of those of hallmark.yaml")
	return command
}

// showSwept prints what was found; nothing is worth a line, too.
func (a *app) showSwept(swept []databricks.Swept, asJSON bool) error {
	if asJSON {
		if swept == nil {
			swept = []databricks.Swept{}
		}
		return json.NewEncoder(a.out).Encode(map[string]any{"clusters": swept})
	}
	if len(swept) == 0 {
		_, err := fmt.Fprintln(a.out, "no cluster of Hallmark's was found")
		return err
	}
	for _, s := range swept {
		if _, err := fmt.Fprintf(a.out, "%s: cluster %s of run %s (%s, %s) in %s: %s\n",
			s.Action, foreign.Short(s.ID, 60), foreign.Short(s.Run, 60), foreign.Short(s.Owner, 80), foreign.Short(s.State, 20), s.Workspace, foreign.Short(s.Why, 300)); err != nil {
			return err
		}
	}
	return nil
}
