package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

func (a *app) verifyCommand() *cobra.Command {
	var with pipeline.VerifyOptions
	command := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "Verify the signature and every piece of evidence of an image",
		Long: `Check who signed an image and what evidence about it is signed, and whether the promotion policy is
satisfied by it. Nobody but the image's registry is asked: no transparency log, no certificate authority.
A name without a registry host is one of the embedded registry.

With --promoted, a tag must stand where its last promotion put it: an image that is signed and passed everything, but
was never promoted to this tag, or was replaced since, fails.`,
		Example: `  hallmark verify --key hallmark.pub registry.example.com/platform/spark:golden
  hallmark verify --key hallmark.pub spark:golden --max-age 720h --promoted`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			cfg, options, err := a.project(nil)
			if err != nil {
				return err
			}
			var result *report.Verification
			err = a.watched(cmd.Context(), cfg.Image, func(ctx context.Context) error {
				result, err = pipeline.Verify(ctx, cfg, options, args[0], with)
				return err
			})
			if err != nil {
				return err
			}
			if err := a.showVerification(result, asJSON); err != nil {
				return err
			}
			return ended{result.ExitCode}
		},
	}
	addVerifyFlags(command, &with)
	command.Flags().DurationVar(&with.MaxAge, "max-age", time.Duration(0), "how old evidence may be, for example 720h; 0: any age")
	command.Flags().BoolVar(&with.Promoted, "promoted", false, "fail where the last signed promotion of this tag did not put it where it is")
	return command
}

func addVerifyFlags(command *cobra.Command, with *pipeline.VerifyOptions) {
	command.Flags().StringArrayVar(&with.Keys, "key", nil, "file with a public key whose signatures count (repeatable; default: that of sign.key)")
}

func (a *app) showVerification(v *report.Verification, asJSON bool) error {
	if asJSON {
		return report.VerifyJSON(a.out, *v)
	}
	return report.VerifyTable(a.out, *v, width(a.out), coloured(a.out))
}
