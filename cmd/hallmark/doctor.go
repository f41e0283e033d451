package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [FOLDER]",
		Short: "Say whether everything is there that a run needs",
		Long: `Ask the engine, the registry, the credentials, the signing key, the vulnerability database, the places of the
launches and the clock whether a run of FOLDER's hallmark.yaml would find what it needs. Nothing is changed: an upload
is begun and given up, which is how a registry says whether it would take one.

The exit code is 0 where a run can work, 1 where something must be mended first, 3 where something could not be found out.`,
		Example: `  hallmark doctor
  hallmark doctor images/spark --output json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			cfg, options, err := a.project(args)
			if err != nil {
				return err
			}
			if options.CI, err = a.place(); err != nil {
				return err
			}
			var found *report.Checkup
			err = a.watched(cmd.Context(), cfg.Image, func(ctx context.Context) error {
				found, err = pipeline.Doctor(ctx, cfg, options)
				return err
			})
			if err != nil {
				return err
			}
			show := func() error { return report.CheckupTable(a.out, *found, width(a.out), coloured(a.out)) }
			if asJSON {
				show = func() error { return report.CheckupJSON(a.out, *found) }
			}
			if err := show(); err != nil {
				return err
			}
			return ended{found.ExitCode}
		},
	}
}
