package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

func (a *app) emulateCommand() *cobra.Command {
	command := group(&cobra.Command{
		Use:   "emulate",
		Short: "Platforms for tests, on this machine",
	})
	command.AddCommand(a.emulateDatabricksCommand())
	return command
}

func (a *app) emulateDatabricksCommand() *cobra.Command {
	var e pipeline.EmulateOptions
	var token, clientSecret string
	var verbose bool
	command := &cobra.Command{
		Use:   "databricks",
		Short: "Serve a Databricks workspace until interrupted, for SDKs, scripts and tests",
		Long: `Serve the part of a Databricks workspace's REST API that launches clusters from images and runs commands
on them. A cluster's image is really pulled, with the credentials of its docker_image and no others; its
init scripts run in it, a driver comes up, and commands keep their state, all in the sandbox of this
machine (needs root; --no-launch serves states and events only).

What the workspace cannot do, and how it is told to fail, stands in docs/emulator.md.`,
		Example: `  hallmark emulate databricks &
  export DATABRICKS_HOST=http://` + pipeline.EmulatorHost + ` DATABRICKS_TOKEN=$(cat ~/.local/share/hallmark/emulator/token)
  curl -H "Authorization: Bearer $DATABRICKS_TOKEN" $DATABRICKS_HOST/api/2.1/clusters/list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, options, err := a.project(nil)
			if err != nil {
				return err
			}
			e.Token, e.ClientSecret = secret.Ref(token), secret.Ref(clientSecret)
			if verbose {
				e.Log = func(line string) { fmt.Fprintln(a.err, line) }
			}
			return pipeline.EmulateDatabricks(cmd.Context(), cfg, options, e, func(told pipeline.Emulated) {
				fmt.Fprintf(a.err, "a Databricks workspace answers on %s; %s; interrupt to stop\n", told.Host, told.Machine)
				fmt.Fprintf(a.out, "export DATABRICKS_HOST=%s\n", told.Host)
				if told.TokenFile != "" {
					fmt.Fprintf(a.out, "export DATABRICKS_TOKEN=\"$(cat '%s')\"\n", told.TokenFile)
				} else {
					fmt.Fprintf(a.err, "its token is the one of %s: export DATABRICKS_TOKEN with it\n", e.Token)
				}
			})
		},
	}
	flags := command.Flags()
	flags.StringVar(&e.Listen, "listen", pipeline.EmulatorHost, "address to listen on; port 0 is any free one")
	flags.BoolVar(&e.Anywhere, "anywhere", false, "allow an address that other machines reach: whoever has the token starts containers here")
	flags.StringVar(&token, "token", "", "token to let in, by reference: env:NAME or file:PATH (default: a new one)")
	flags.StringVar(&e.TokenFile, "token-file", "", "where a new token is written (default: emulator/token in Hallmark's home)")
	flags.StringVar(&e.ClientID, "client-id", "", "service principal to let in through OAuth")
	flags.StringVar(&clientSecret, "client-secret", "", "its secret, by reference")
	flags.StringVar(&e.Federation.Issuer, "oidc-issuer", "", "issuer whose tokens let the service principal in without a secret: https://token.actions.githubusercontent.com")
	flags.StringVar(&e.Federation.Subject, "oidc-subject", "", "whom that issuer must vouch for: repo:OWNER/NAME:ref:refs/heads/main")
	flags.StringVar(&e.Federation.Audience, "oidc-audience", "", "whom its tokens must be meant for (default: the workspace's address for tokens)")
	flags.BoolVar(&e.NoLaunch, "no-launch", false, "start nothing: clusters are states and events only")
	flags.StringVar(&e.Runtime, "runtime", "", "folder of the Spark distribution that stands for the platform's runtime (default: the Spark example's)")
	flags.TextVar(&e.Memory, "memory", config.Size(0), "limit for each cluster: 4Gi (default: none)")
	flags.Float64Var(&e.CPUs, "cpus", 0, "processors for each cluster (default: no limit)")
	flags.StringVar(&e.User, "user", "", "who the token belongs to")
	flags.StringVar(&e.Cloud, "cloud", "aws", "aws, azure or gcp: whose node types the workspace has")
	flags.BoolVar(&e.CannotCreate, "cannot-create", false, "the user may not create clusters")
	flags.BoolVar(&e.NoContainers, "no-containers", false, "container services are not enabled")
	flags.DurationVar(&e.Pace, "pace", 0, "how long clusters stay in PENDING and TERMINATING at least")
	flags.BoolVarP(&verbose, "verbose", "v", false, "print each request")
	return command
}
