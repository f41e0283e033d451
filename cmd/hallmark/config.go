package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

func (a *app) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration: defaults, hallmark.yaml, environment and flags together",
		Long: `Print the effective configuration and where each value comes from. Later ones win:
defaults, hallmark.yaml, environment (HALLMARK_SCAN_FAIL_ON for scan.fail_on), --set.
Secrets are never printed: the configuration holds only where they are.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			cfg, _, err := a.project(nil)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.out).Encode(cfg)
			}
			return cfg.Print(a.out, true)
		},
	}
}
