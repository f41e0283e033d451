package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
)

func (a *app) registryCommand() *cobra.Command {
	command := group(&cobra.Command{
		Use:   "registry",
		Short: "The registry that Hallmark embeds",
	})
	command.AddCommand(a.registryServeCommand())
	return command
}

func (a *app) registryServeCommand() *cobra.Command {
	var addr string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve the embedded registry until interrupted, for docker, crane, cosign and others",
		Long: `Serve what runs without a registry of their own have pushed, on loopback, until interrupted.
Any client of the OCI distribution protocol can pull from it and push to it meanwhile.`,
		Example: `  hallmark registry serve &
  docker pull ` + pipeline.EmbeddedHost + `/spark:golden`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, options, err := a.project(nil)
			if err != nil {
				return err
			}
			return pipeline.ServeRegistry(cmd.Context(), cfg, options, addr, func(address, root string) {
				fmt.Fprintf(a.err, "serving %s on %s; interrupt to stop\n", root, address)
			})
		},
	}
	command.Flags().StringVar(&addr, "addr", pipeline.EmbeddedHost, "address to listen on")
	return command
}
