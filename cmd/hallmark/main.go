// Command hallmark builds an image, checks and scans it, signs it, stages it, launches a single-node cluster from it,
// and retags it as golden once that passes.
//
// This folder reads flags and prints results; what a verb does stands in package pipeline.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/sirupsen/logrus"
)

// version is set by the linker.
var version = "dev"

// A run's heap is small for most of its time, and on two processors every collection is taken from the work: the collector
// begins late, and works as hard as it must once the heap is larger than softMemory. GOGC and GOMEMLIMIT say otherwise.
const (
	latePercent = 400
	softMemory  = 160 << 20
)

func main() {
	// Libraries log in lines of their own, which would stand between ours; the engine's process sends its own to a file.
	logrus.SetOutput(io.Discard)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(latePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// One interruption takes everything down in good order; a second one by hand ends the program where it stands, and the
	// kernel ends the engine with it.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
