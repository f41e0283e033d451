package main

import (
	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/inside"
)

// engineCommand is the embedded engine's own process: the program starts itself with this verb.
func (a *app) engineCommand() *cobra.Command {
	return hidden(engine.Verb, engine.Main)
}

// probeCommand runs inside launched containers, where this binary is shown to them.
func (a *app) probeCommand() *cobra.Command {
	return hidden(inside.Verb, inside.Main)
}

func hidden(verb string, work func([]string) int) *cobra.Command {
	return &cobra.Command{
		Use: verb, Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error { return ended{work(args)} },
	}
}
