package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and the libraries that verdicts depend on",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			libraries := judges()
			if asJSON {
				return json.NewEncoder(a.out).Encode(map[string]any{
					"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "libraries": libraries,
				})
			}
			fmt.Fprintf(a.out, "hallmark %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			for _, name := range []string{"buildkit", "trivy", "cosign", "opa"} {
				fmt.Fprintf(a.out, "  %-9s %s\n", name, libraries[name])
			}
			return nil
		},
	}
}

// judges are the versions of the libraries that decide what a verdict says, as linked into this binary.
func judges() map[string]string {
	modules := map[string]string{
		"github.com/moby/buildkit":                "buildkit",
		"github.com/aquasecurity/trivy":           "trivy",
		"github.com/sigstore/cosign/v2":           "cosign",
		"github.com/open-policy-agent/opa":        "opa",
		"github.com/distribution/distribution/v3": "distribution",
	}
	found := map[string]string{}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return found
	}
	for _, module := range info.Deps {
		if name, wanted := modules[module.Path]; wanted {
			found[name] = module.Version
		}
	}
	return found
}
