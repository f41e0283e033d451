package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/defaults"
	"github.com/moby/buildkit/cache/remotecache"
	localcache "github.com/moby/buildkit/cache/remotecache/local"
	registrycache "github.com/moby/buildkit/cache/remotecache/registry"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildkitd/config"
	"github.com/moby/buildkit/control"
	"github.com/moby/buildkit/frontend"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/bboltcachestorage"
	"github.com/moby/buildkit/util/bklog"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/moby/buildkit/util/resolver"
	resolverconfig "github.com/moby/buildkit/util/resolver/config"
	"github.com/moby/buildkit/worker"
	"github.com/moby/buildkit/worker/base"
	"google.golang.org/grpc"
)

// server is a BuildKit with one worker, in this process.
type server struct {
	grpc       *grpc.Server
	controller *control.Controller
	worker     *base.Worker
	records    records
}

// newServer puts a BuildKit together on the state folder.
//
// Build steps share the host's network: a step that fetches packages does so as the machine itself would, with its
// DNS, routes and proxies, and no bridge or firewall rule is left on the machine. Containers that are to be cut off
// ask for no network when they are made.
func newServer(ctx context.Context, with settings, kept records, runtimePath, caBundle string, stop <-chan struct{}) (*server, string, error) {
	o := with.Options
	root := filepath.Join(o.Root, "buildkit")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, "", fmt.Errorf("the engine's state folder: %w", err)
	}
	snapshotter := chooseSnapshotter(root, o.Snapshotter)
	worker, err := newWorker(ctx, o, kept, root, snapshotter, runtimePath, caBundle, with.Key)
	if err != nil {
		return nil, "", err
	}
	controller, err := newController(ctx, kept, root, with.Emulators, worker, registryHosts(o), stop)
	if err != nil {
		return nil, "", err
	}
	srv := grpc.NewServer(
		grpc.UnaryInterceptor(grpcerrors.UnaryServerInterceptor),
		grpc.StreamInterceptor(grpcerrors.StreamServerInterceptor),
		grpc.MaxRecvMsgSize(defaults.DefaultMaxRecvMsgSize),
		grpc.MaxSendMsgSize(defaults.DefaultMaxSendMsgSize),
	)
	controller.Register(srv)
	return &server{grpc: srv, controller: controller, worker: worker, records: kept}, snapshotter, nil
}

func newController(ctx context.Context, kept records, root, emulators string, w *base.Worker, hosts docker.RegistryHosts, stop <-chan struct{}) (*control.Controller, error) {
	workers := &worker.Controller{}
	if err := workers.Add(lookOnce(w, root, emulators)); err != nil {
		return nil, err
	}
	sessions, err := session.NewManager()
	if err != nil {
		return nil, err
	}
	cache, err := bboltcachestorage.NewStore(filepath.Join(root, "cache.db"))
	if err != nil {
		return nil, fmt.Errorf("the engine's cache: %w", err)
	}
	historyEntries := int64(10)
	history, err := boltutil.SafeOpen(filepath.Join(root, "history.db"), 0o600, kept.options())
	if err != nil {
		return nil, fmt.Errorf("the engine's history: %w", err)
	}
	return control.NewController(control.Opt{
		SessionManager:   sessions,
		WorkerController: workers,
		// No frontend runs here: the Dockerfile's runs in the parent, so that no image of a frontend is ever pulled.
		Frontends: map[string]frontend.Frontend{},
		ResolveCacheExporterFuncs: map[string]remotecache.ResolveCacheExporterFunc{
			"local": localcache.ResolveCacheExporterFunc(sessions), "registry": registrycache.ResolveCacheExporterFunc(sessions, hosts),
		},
		ResolveCacheImporterFuncs: map[string]remotecache.ResolveCacheImporterFunc{
			"local": localcache.ResolveCacheImporterFunc(sessions), "registry": registrycache.ResolveCacheImporterFunc(sessions, w.ContentStore(), hosts),
		},
		CacheManager:   solver.NewCacheManager(ctx, "local", cache, worker.NewCacheResultStorage(workers)),
		Entitlements:   []string{"network.host"},
		HistoryDB:      history,
		HistoryConfig:  &config.HistoryConfig{MaxAge: config.Duration{Duration: 24 * time.Hour}, MaxEntries: &historyEntries},
		CacheStore:     cache,
		LeaseManager:   w.LeaseManager(),
		ContentStore:   w.ContentStore(),
		GarbageCollect: w.GarbageCollect,
		GracefulStop:   stop,
	})
}

// gcPolicy keeps at most keep bytes: first what is cheapest to make again goes, then what was used least recently.
func gcPolicy(keep int64) []client.PruneInfo {
	return []client.PruneInfo{
		{Filter: []string{"type==source.local,type==exec.cachemount,type==source.git.checkout"}, KeepDuration: 48 * time.Hour, MaxUsedSpace: keep / 10},
		{KeepDuration: 30 * 24 * time.Hour, MaxUsedSpace: keep},
		{MaxUsedSpace: keep},
		{All: true, MaxUsedSpace: keep},
	}
}

// prune applies the policy once: BuildKit's own schedule starts a minute into a run, which most runs do not reach.
func (s *server) prune(ctx context.Context) {
	used := make(chan client.UsageInfo)
	go func() {
		for range used { // what was dropped is of no interest
		}
	}()
	err := s.worker.Prune(ctx, used, s.worker.GCPolicy()...)
	close(used)
	if err == nil {
		err = s.worker.GarbageCollect(ctx)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		bklog.G(ctx).WithError(err).Warn("dropping old cache")
	}
}

// stop ends what runs, within grace, and closes the state folder's databases.
func (s *server) stop(grace time.Duration) error {
	ended := make(chan struct{})
	go func() { s.grpc.GracefulStop(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(grace):
		s.grpc.Stop()
	}
	return errors.Join(s.controller.Close(), s.records.close())
}

func registryHosts(o Options) docker.RegistryHosts {
	plain := true
	hosts := map[string]resolverconfig.RegistryConfig{}
	for host, mirrors := range o.Mirrors {
		hosts[host] = resolverconfig.RegistryConfig{Mirrors: mirrors}
	}
	for _, host := range o.PlainHTTP {
		entry := hosts[host]
		entry.PlainHTTP = &plain
		hosts[host] = entry
	}
	return resolver.NewRegistryConfig(hosts)
}
