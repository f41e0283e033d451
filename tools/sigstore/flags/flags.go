// Package flags takes the flags of the timestamp authority's generated server out of the way of those of Rekor's first
// version: both define the same ones for the whole program, which panics, and neither are used here.
//
// Packages are initialized one after another, the first by its path of those whose imports are (Go's specification,
// "Package initialization"; since Go 1.21). The timestamp authority's has less to wait for than Rekor's, and then comes
// this one. Should that change, the program does not start.
package flags

import (
	_ "github.com/sigstore/timestamp-authority/v2/pkg/generated/restapi" // its flags
	"github.com/spf13/pflag"
)

func init() { pflag.CommandLine = pflag.NewFlagSet("sigstore", pflag.ContinueOnError) }
