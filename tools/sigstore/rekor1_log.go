package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	trillianlog "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/server/interceptor"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/memory"
	"github.com/google/trillian/util/clock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"
)

// serveTrillian starts Trillian's own log server and sequencer, in which Rekor's first version keeps its tree, on memory.
func serveTrillian(ctx context.Context) (port int, err error) {
	klog.LogToStderr(false) // it would tell of each pass; of errors it still does
	klog.SetOutput(io.Discard)
	trees := memory.NewTreeStorage()
	registry := extension.Registry{
		AdminStorage: memory.NewAdminStorage(trees), QuotaManager: quota.Noop(),
		LogStorage: &once{LogStorage: memory.NewLogStorage(trees, nil), known: map[string]bool{}},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	api := grpc.NewServer(grpc.UnaryInterceptor(interceptor.ErrorWrapper))
	trillian.RegisterTrillianAdminServer(api, admin.New(registry, nil))
	trillian.RegisterTrillianLogServer(api, server.NewTrillianLogRPCServer(registry, clock.System))
	go func() { _ = api.Serve(listener) }()
	sequencer := trillianlog.NewOperationManager(trillianlog.OperationInfo{
		Registry: registry, BatchSize: 100, NumWorkers: 1, RunInterval: 50 * time.Millisecond, TimeSource: clock.System,
	}, trillianlog.NewSequencerManager(registry, 0))
	go sequencer.OperationLoop(ctx)
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// once has no leaf twice, as Trillian's storage in a database: the one in memory does not look.
type once struct {
	storage.LogStorage

	mu    sync.Mutex
	known map[string]bool
}

// QueueLeaves says of leaves that are there already that they are.
func (o *once) QueueLeaves(ctx context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	queued := make([]*trillian.QueuedLogLeaf, len(leaves))
	for i, leaf := range leaves {
		id := fmt.Sprintf("%d/%x", tree.TreeId, leaf.LeafIdentityHash)
		if o.known[id] {
			queued[i] = &trillian.QueuedLogLeaf{Leaf: leaf, Status: status.Newf(codes.AlreadyExists, "leaf already exists: %x", leaf.LeafIdentityHash).Proto()}
			continue
		}
		one, err := o.LogStorage.QueueLeaves(ctx, tree, []*trillian.LogLeaf{leaf}, at)
		if err != nil {
			return nil, err
		}
		queued[i], o.known[id] = one[0], true
	}
	return queued, nil
}
