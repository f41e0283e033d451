package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

const imageHelp = `
IMAGE is a reference in a registry, oci-layout:FOLDER or docker-archive:FILE; without it, the image
that hallmark.yaml describes is built first.`

func (a *app) checkCommand() *cobra.Command {
	var packs []string
	var facts bool
	command := &cobra.Command{
		Use:   "check [IMAGE]",
		Short: "Check an image against packs of minimum requirements, without running it",
		Long: `Ask the rules of the configured packs about an image. What --set names that is no field of hallmark.yaml
is a parameter of the packs: --set runtime=16.4 for all that have it, --set databricks.runtime=16.4 for one.` + imageHelp,
		Example: `  hallmark check registry.example.com/platform/spark:golden --pack base --pack spark
  hallmark check registry.example.com/platform/dbr:staging --pack databricks --set runtime=16.4
  hallmark check oci-layout:./image --facts`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			var sets []string
			if len(packs) > 0 {
				sets = append(sets, list("check.packs", packs))
			}
			cfg, options, err := a.checked(sets)
			if err != nil {
				return err
			}
			if !facts {
				if err := pipeline.Acceptable(cmd.Context(), cfg); err != nil {
					return err
				}
			}
			return a.inspectedWith(cmd.Context(), cfg, options, args, func(ctx context.Context, in *pipeline.Inspected, names []string) error {
				if facts {
					found, err := in.Facts(names)
					if err != nil {
						return err
					}
					encoder := json.NewEncoder(a.out)
					encoder.SetIndent("", "  ")
					return encoder.Encode(found)
				}
				result, err := in.Check(ctx, names)
				if err != nil {
					return err
				}
				if err := a.showCheck(in.Name, result, asJSON); err != nil {
					return err
				}
				return ended{result.Verdict.ExitCode()}
			})
		},
	}
	command.Flags().StringArrayVar(&packs, "pack", nil, "pack to ask: base, spark, databricks, databricks-gpu, or a folder of one's own (repeatable; replaces check.packs)")
	command.Flags().BoolVar(&facts, "facts", false, "print the facts that the packs judge, as JSON, and judge nothing")
	return command
}

func (a *app) showCheck(name string, result check.Result, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(a.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	if err := report.Findings(a.out, result.Findings, width(a.out), coloured(a.out)); err != nil {
		return err
	}
	words := ""
	for _, pack := range result.Packs {
		words += " " + pack.Name
	}
	fmt.Fprintf(a.out, "%s: %s (%d rules of%s)\n", result.Verdict, foreign.Line(name), result.Rules, words)
	return nil
}
