package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
)

func (a *app) verifyCommand() *cobra.Command {
	var flags verifyFlags
	var asked demandFlags
	command := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "Verify the signature and every piece of evidence of an image",
		Long: `Check who signed an image and what evidence about it is signed, and whether the promotion policy is
satisfied by it. With keys nobody but the image's registry is asked; with identities, the Sigstore's TUF
repository once a day for the certificates of its authorities, unless --trusted-root names a file that
holds them. A name without a registry host is one of the embedded registry.

With --promoted, a tag must stand where its last promotion put it: an image that is signed and passed everything, but
was never promoted to this tag, or was replaced since, fails. What the flags do not say, hallmark.yaml does: sign.trust,
promote.require, verify. On a pull request from a fork it is the fork's, and can only ask for more than the flags do.`,
		Example: `  hallmark verify --key hallmark.pub registry.example.com/platform/spark:golden
  hallmark verify --key hallmark.pub spark:golden --max-age 720h --promoted
  hallmark verify ghcr.io/octo/spark:golden --issuer https://token.actions.githubusercontent.com \
    --identity https://github.com/octo/spark/.github/workflows/golden.yml@refs/heads/main`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			facts, err := a.place()
			if err != nil {
				return err
			}
			sets := append(flags.sets(), asked.sets(cmd)...)
			cfg, options, err := a.project(nil, sets...)
			if err != nil {
				return err
			}
			note, err := judging(cfg, a.configPath, append(sets, a.sets...), flags.options(), facts)
			if err != nil {
				return err
			}
			var result *report.Verification
			err = a.watched(cmd.Context(), cfg.Image, func(ctx context.Context) error {
				result, err = pipeline.Verify(ctx, cfg, options, args[0], flags.options())
				return err
			})
			if err != nil {
				return err
			}
			if note != "" {
				result.Notes = append(result.Notes, note)
			}
			if err := a.showVerification(result, asJSON); err != nil {
				return err
			}
			return ended{result.ExitCode}
		},
	}
	flags.add(command)
	asked.add(command)
	return command
}

// demandFlags stand in place of the configuration's verify.
type demandFlags struct {
	maxAge   config.Duration
	promoted bool
}

func (f *demandFlags) add(command *cobra.Command) {
	command.Flags().TextVar(&f.maxAge, "max-age", config.Duration(0), "how old evidence may be, a `duration` such as 720h or 30d; 0: any age")
	command.Flags().BoolVar(&f.promoted, "promoted", false, "fail where the last signed promotion of this tag did not put it where it is")
}

// sets are the flags that were given, as overrides of the configuration.
func (f *demandFlags) sets(command *cobra.Command) (sets []string) {
	if command.Flags().Changed("max-age") {
		sets = append(sets, "verify.max_age="+f.maxAge.String())
	}
	if command.Flags().Changed("promoted") {
		sets = append(sets, "verify.promoted="+strconv.FormatBool(f.promoted))
	}
	return sets
}

// judging has a verification where strangers may have written hallmark.yaml judge by what whoever runs it says: the
// environment and sets, and who counts by with. path is where the configuration was read from. The note says so to people.
func judging(cfg *config.Config, path string, sets []string, with pipeline.VerifyOptions, facts ci.Facts) (note string, err error) {
	reason := facts.MayNotWrite()
	if reason == "" {
		return "", nil
	}
	own, err := config.LoadWithoutFile(path, os.Environ(), sets)
	if err != nil {
		return "", fmt.Errorf("without hallmark.yaml, which does not say here what counts (%s): %w", reason, err)
	}
	return pipeline.RestrictVerify(cfg, own, with, reason)
}

// verifyFlags say whose signatures count.
type verifyFlags struct {
	with pipeline.VerifyOptions
	who  sign.Identity
	root string // file
}

func (f *verifyFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringArrayVar(&f.with.Keys, "key", nil, "file with a public key whose signatures count (repeatable; without it and an identity: those of sign.trust and sign.key)")
	flags.StringVar(&f.who.Name, "identity", "", "who counts by certificate: a workflow at a branch, or a mail address; with --issuer")
	flags.StringVar(&f.who.NameRegexp, "identity-regexp", "", "pattern for the identity instead, which must match all of it")
	flags.StringVar(&f.who.Issuer, "issuer", "", "who issues the identity's tokens: https://token.actions.githubusercontent.com")
	flags.StringVar(&f.who.IssuerRegexp, "issuer-regexp", "", "pattern for the issuer instead, which must match all of it")
	flags.StringVar(&f.root, "trusted-root", "", "file with the authorities that vouch for identities (trusted_root.json; default: by TUF)")
}

func (f *verifyFlags) options() pipeline.VerifyOptions {
	with := f.with
	if f.who != (sign.Identity{}) {
		with.Identities = []sign.Identity{f.who}
	}
	return with
}

// sets are the flags that stand in place of configuration.
func (f *verifyFlags) sets() []string {
	if f.root == "" {
		return nil
	}
	root, err := filepath.Abs(f.root)
	if err != nil {
		root = f.root
	}
	return []string{"sign.keyless.trusted_root=" + root}
}

func (a *app) showVerification(v *report.Verification, asJSON bool) error {
	if asJSON {
		return report.VerifyJSON(a.out, *v)
	}
	return report.VerifyTable(a.out, *v, width(a.out), coloured(a.out))
}
