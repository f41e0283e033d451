// Command hallmark builds an image, checks and scans it, signs it, stages it, launches a single-node cluster from it,
// and retags it as golden once that passes.
//
// This folder reads flags and prints results; what a verb does stands in package pipeline.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// One interruption takes everything down in good order; a second one by hand ends the program where it stands, and the
	// kernel ends the engine with it.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
