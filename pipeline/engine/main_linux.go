package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// Descriptors that the parent passes on.
const (
	wireDescriptor = 3
	lockDescriptor = 4 // held, never read: the state folder stays locked until the engine is gone too
)

const (
	// softMemory makes the collector work harder above it; it refuses nothing.
	softMemory = 128 << 20
	// stopGrace is how long running builds may take to end once the parent has let go.
	stopGrace = 2 * time.Second
)

// Main is the embedded engine. It runs as the first process of its own process and mount namespaces, so that its
// end, whatever causes it, is the end of every container and every mount. It returns the process's exit code.
func Main([]string) int {
	unix.CloseOnExec(wireDescriptor)
	unix.CloseOnExec(lockDescriptor)
	wire, err := newWire(os.NewFile(wireDescriptor, "engine-wire"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "this verb is for the program's own use:", err)
		return 2
	}
	if err := serve(wire); err != nil {
		logrus.WithError(err).Error("the engine ends")
		_ = wire.send(answer{Error: err.Error()})
		return 1
	}
	return 0
}

func serve(wire *wire) error {
	logrus.SetFormatter(&logrus.JSONFormatter{})
	logrus.SetOutput(os.Stderr) // the parent has made that the log file
	logrus.SetLevel(logrus.InfoLevel)
	debug.SetMemoryLimit(softMemory)

	var with settings
	if err := wire.receive(&with); err != nil {
		return fmt.Errorf("reading the engine's settings: %w", err)
	}
	o := with.Options
	if err := isolate(o.Root); err != nil {
		return err
	}
	groups := detectCgroups(cgroupMount)
	if err := openGroups(groups.hierarchies()); err != nil {
		return err
	}
	sweep(o.Root, groups)
	runtimePath, runtimeWords, err := resolveRuntime(o.Root, o.Runtime)
	if err != nil {
		return err
	}
	caBundle, err := findCABundle(o.CABundle)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	listener := newListener(wire)
	kept, err := openRecords(o.Root)
	if err != nil {
		return err
	}
	srv, snapshotter, err := newServer(ctx, with, kept, runtimePath, caBundle, listener.gone)
	if err != nil {
		return err
	}
	go reap(ctx)
	go func() {
		// Not at once: a short run should not pay for it.
		select {
		case <-time.After(5 * time.Second):
			srv.prune(ctx)
		case <-ctx.Done():
		}
	}()
	if err := wire.send(answer{Snapshotter: snapshotter, Runtime: runtimeWords, CABundle: caBundle}); err != nil {
		return fmt.Errorf("answering the parent: %w", err)
	}
	if err := srv.grpc.Serve(listener); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serving the parent: %w", err)
	}
	// The parent has let go. What is left open after the grace is ended by the kernel with this process.
	time.AfterFunc(2*stopGrace, func() { os.Exit(0) })
	cancel()
	return srv.stop(stopGrace)
}

// isolate makes the new namespaces fit to be used: mounts made here stay here, /proc shows the processes in here, and
// the runtime's records vanish with the namespace instead of being mistaken for running containers later.
func isolate(root string) error {
	if os.Getpid() != 1 {
		return errors.New("this verb is for the program's own use: it runs in namespaces of its own")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the engine's mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc for the engine: %w", err)
	}
	const records = "/run/runc"
	if err := os.MkdirAll(records, 0o700); err != nil {
		return fmt.Errorf("the runtime's records: %w", err)
	}
	if err := unix.Mount("tmpfs", records, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size=16m"); err != nil {
		return fmt.Errorf("mounting the runtime's records at %s: %w", records, err)
	}
	scratch := filepath.Join(root, "tmp")
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return fmt.Errorf("the engine's scratch folder: %w", err)
	}
	return os.Setenv("TMPDIR", scratch)
}
