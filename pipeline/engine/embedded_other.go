//go:build !linux

package engine

import (
	"context"
	"fmt"
	"os"
	"runtime"
)

// Start says that there is no embedded engine here: what it makes, namespaces and mounts, only Linux has.
func Start(context.Context, Options) (*Engine, error) { return nil, notHere(runtime.GOOS) }

// Main is for the hidden verb, which only an embedded engine is started with.
func Main([]string) int {
	fmt.Fprintln(os.Stderr, "this verb is for the program's own use:", notHere(runtime.GOOS))
	return 2
}

// Sweep finds nothing: no embedded engine has ever run here.
func Sweep(context.Context, string) (found []string, err error) { return nil, nil }
