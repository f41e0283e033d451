package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func (a *app) promoteCommand() *cobra.Command {
	var flags verifyFlags
	var tags []string
	command := &cobra.Command{
		Use:   "promote IMAGE",
		Short: "Move golden tags to an image whose evidence holds",
		Long: `Verify the evidence of an image that is in a registry already, a staging tag or repository@digest, and
move the golden tags of the same repository to it. A hallmark.yaml about the same repository demands
that the evidence was made with all its packs, launches and probes, and by a scan no laxer than its
own; without one, any that passed will do. The move is compared, read back and recorded as
signed evidence. Where a tag points to the image already, and the
promotion that put it there is recorded, nothing is written.`,
		Example: `  hallmark promote registry.example.com/platform/spark@sha256:… --tag golden --tag 3.5`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			facts, err := a.place()
			if err == nil {
				err = mayPromote(facts)
			}
			if err != nil {
				return err
			}
			sets := flags.sets()
			if len(tags) > 0 {
				sets = append(sets, list("promote.tags", tags))
			}
			cfg, options, err := a.project(nil, sets...)
			if err != nil {
				return err
			}
			var golden []report.Golden
			var verified *report.Verification
			err = a.watched(cmd.Context(), cfg.Image, func(ctx context.Context) error {
				golden, verified, err = pipeline.Promote(ctx, cfg, options, args[0], flags.options())
				return err
			})
			switch {
			case golden != nil: // also with an error: the tags before the one that would not move have moved
				return errors.Join(a.showGolden(verified.Subject, golden, asJSON), err)
			case verified != nil && verified.ExitCode != 0:
				return errors.Join(a.showVerification(verified, asJSON), err)
			}
			return err
		},
	}
	flags.add(command)
	command.Flags().StringArrayVar(&tags, "tag", nil, "golden tag to move (repeatable; replaces promote.tags)")
	return command
}

// mayPromote refuses a promotion where strangers may have written hallmark.yaml, which says on what evidence tags move.
func mayPromote(facts ci.Facts) error {
	if reason := facts.MayNotWrite(); reason != "" {
		return fmt.Errorf("%w: nothing is promoted here: %s", verdict.ErrUsage, reason)
	}
	return nil
}

// showGolden prints the tags that point to the image now; as JSON, those that do not as well.
func (a *app) showGolden(at subject.Subject, golden []report.Golden, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out).Encode(map[string]any{"subject": at, "golden": golden})
	}
	for _, g := range golden {
		switch {
		case g.Recorded:
			fmt.Fprintf(a.out, "%s pointed to %s already; the promotion is recorded\n", g.Ref, subject.Short(g.To))
		case g.Move == report.Already:
			fmt.Fprintf(a.out, "%s pointed to %s already; nothing was written\n", g.Ref, subject.Short(g.To))
		case g.Move == report.Moved:
			fmt.Fprintf(a.out, "%s moved from %s to %s\n", g.Ref, cmp.Or(subject.Short(g.From), "nothing"), subject.Short(g.To))
		}
	}
	return nil
}
