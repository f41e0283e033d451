package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func (a *app) runCommand() *cobra.Command {
	var build buildFlags
	var reports, only, skip []string
	command := &cobra.Command{
		Use:   "run [FOLDER]",
		Short: "Take the image from its Dockerfile to its golden tag",
		Long: `Build the image that FOLDER's hallmark.yaml describes (this folder's, without an argument), check it,
scan it, sign it, stage it, launch a cluster from it, and move its golden tags once that passes.
What has valid signed evidence for the same digest, packs, database and settings is not done again.`,
		Example: `  hallmark run
  hallmark run images/spark --set scan.fail_on=critical --output json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			asked, err := reportFiles(reports)
			if err != nil {
				return err
			}
			facts, err := a.place()
			if err != nil {
				return err
			}
			here := a.speaking(facts, asJSON)
			defer here.masking()()
			cfg, options, err := a.project(args, build.sets(os.LookupEnv)...)
			if err != nil {
				return here.refused(err)
			}
			if err := limit(cfg, &options, facts, only, skip); err != nil {
				return here.refused(err)
			}
			var result *report.Report
			err = here.watched(cmd.Context(), cfg.Image, func(ctx context.Context) error {
				result, err = pipeline.Run(ctx, cfg, options)
				return err
			})
			if result == nil {
				return here.refused(err)
			}
			for _, file := range withConfigured(asked, cfg) {
				if err := writeReport(file, *result, relative(facts.Workspace, dockerfile(cfg)), options.Home.Bill(result.RunID)); err != nil {
					result.Notes = append(result.Notes, "A report is missing: "+verdict.Plain(err))
				}
			}
			defer here.present(result, cfg)
			show := func() error { return report.Board(here.log(), *result, width(a.out), coloured(a.out)) }
			if asJSON {
				show = func() error { return report.JSON(a.out, *result) }
			}
			if shown := show(); shown != nil {
				return errors.Join(shown, err)
			}
			return ended{result.ExitCode}
		},
	}
	build.add(command)
	command.Flags().StringSliceVar(&only, "only", nil, "only these steps and what they need, separated by commas")
	command.Flags().StringSliceVar(&skip, "skip", nil, "all but these steps, separated by commas; launch,promote ends at the staging tag")
	command.Flags().StringArrayVar(&reports, "report", nil, "KIND=FILE, a report of the run: "+strings.Join(slices.Sorted(maps.Keys(reportKinds)), ", ")+" (repeatable)")
	return command
}
