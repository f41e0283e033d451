package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [config|facts]",
		Short: "Print the JSON Schema of hallmark.yaml, or of an image's facts",
		Long: `Print a JSON Schema (draft 2020-12): of hallmark.yaml, for editors and linters, or of the facts
that policies judge and hallmark check --facts prints.`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{"config", "facts"},
		RunE: func(_ *cobra.Command, args []string) error {
			schema := config.Schema()
			if len(args) == 1 {
				switch args[0] {
				case "config":
				case "facts":
					schema = image.FactsSchema()
				default:
					return fmt.Errorf("%w: there is no schema called %q: config or facts", verdict.ErrUsage, args[0])
				}
			}
			_, err := a.out.Write(schema)
			return err
		},
	}
}
