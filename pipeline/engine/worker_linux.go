package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/containerd/containerd/v2/core/diff/apply"
	ctdmetadata "github.com/containerd/containerd/v2/core/metadata"
	ctdsnapshot "github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/storage"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/containerd/v2/plugins/diff/walking"
	"github.com/containerd/containerd/v2/plugins/snapshots/native"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay"
	"github.com/containerd/containerd/v2/plugins/snapshots/overlay/overlayutils"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/cache/metadata"
	"github.com/moby/buildkit/executor/oci"
	"github.com/moby/buildkit/executor/resources"
	"github.com/moby/buildkit/executor/runcexecutor"
	containerdsnapshot "github.com/moby/buildkit/snapshot/containerd"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/leaseutil"
	"github.com/moby/buildkit/util/network"
	"github.com/moby/buildkit/worker/base"
	wlabel "github.com/moby/buildkit/worker/label"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"
)

// chooseSnapshotter takes overlayfs where the folder's file system can carry it, else plain copies.
func chooseSnapshotter(root, wanted string) string {
	if wanted != "" {
		return wanted
	}
	if carriesOverlay(root) {
		return "overlayfs"
	}
	return "native"
}

// carriesOverlay tries, once in every boot of the machine for a folder in its place: a trial makes a mount, and a busy
// machine takes a tenth of a second to undo one.
func carriesOverlay(root string) bool {
	proof := filepath.Join(root, "overlay-tried")
	now := place(root)
	if found, err := os.ReadFile(proof); err == nil && now != "" && string(found) == now {
		return true
	}
	if overlayutils.Supported(root) != nil {
		return false
	}
	_ = os.WriteFile(proof, []byte(now), 0o600) // without it the next engine tries again
	return true
}

// place is which file system the folder lies on in which boot; empty: unknown.
func place(folder string) string {
	boot, err := os.ReadFile(bootFile)
	if err != nil {
		return ""
	}
	var stat unix.Stat_t
	if err := unix.Stat(folder, &stat); err != nil {
		return ""
	}
	return fmt.Sprintf("%s%d %d", boot, stat.Dev, stat.Ino)
}

func newSnapshotter(name, root string, kept records) (ctdsnapshot.Snapshotter, error) {
	if name == "overlayfs" {
		if err := os.MkdirAll(root, 0o700); err != nil {
			return nil, err
		}
		index, err := storage.NewMetaStore(filepath.Join(root, "metadata.db"), func(o *bolt.Options) error {
			*o = *kept.options()
			return nil
		})
		if err != nil {
			return nil, err
		}
		return overlay.NewSnapshotter(root, overlay.AsynchronousRemove, overlay.WithMetaStore(index))
	}
	return native.NewSnapshotter(root)
}

// namespace is what containerd's stores are divided by; BuildKit has them to itself.
const namespace = "buildkit"

// newWorker puts the one worker together: runc, a snapshotter, containerd's stores.
//
// It is put together here, and not by BuildKit's own function for it, because that one also prepares a proxy that
// records what steps fetch: with an RSA key at every start, for something that nobody here asks for.
func newWorker(ctx context.Context, o Options, kept records, root, snapshotter, runtimePath, caBundle string, key []byte) (*base.Worker, error) {
	opt, err := workerOptions(o, kept, filepath.Join(root, "runc-"+snapshotter), snapshotter, runtimePath)
	if err != nil {
		return nil, fmt.Errorf("the engine's worker on %s: %w", root, err)
	}
	opt.Executor = &ward{Executor: opt.Executor, root: o.Root, key: key, caBundle: caBundle, cgroups: detectCgroups(cgroupMount)}
	w, err := base.NewWorker(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("the engine's worker on %s: %w", root, err)
	}
	folders, err := newNearby(w.CacheMgr)
	if err != nil {
		return nil, fmt.Errorf("the engine's worker on %s: %w", root, err)
	}
	w.SourceManager.Register(folders)
	return w, nil
}

func workerOptions(o Options, kept records, root, snapshotter, runtimePath string) (base.WorkerOpt, error) {
	var opt base.WorkerOpt
	useInflater()
	if err := os.MkdirAll(root, 0o700); err != nil {
		return opt, err
	}
	// Build steps share the host's network: see newServer.
	host := trusting{network.NewHostProvider()}
	networks := map[pb.NetMode]network.Provider{
		pb.NetMode_UNSET: host, pb.NetMode_HOST: host, pb.NetMode_NONE: trusting{network.NewNoneProvider()},
	}
	monitor, err := resources.NewMonitor()
	if err != nil {
		return opt, err
	}
	executor, err := runcexecutor.New(runcexecutor.Opt{
		Root: filepath.Join(root, "executor"), CommandCandidates: []string{runtimePath}, ProcessMode: oci.ProcessSandbox,
		ResourceMonitor: monitor, DefaultCgroupParent: cgroupName(o.Root) + "/build",
	}, networks)
	if err != nil {
		return opt, err
	}
	snapshots, err := newSnapshotter(snapshotter, filepath.Join(root, "snapshots"), kept)
	if err != nil {
		return opt, err
	}
	blobs, err := local.NewStore(filepath.Join(root, "content"))
	if err != nil {
		return opt, err
	}
	file, err := bolt.Open(filepath.Join(root, "containerdmeta.db"), 0o644, kept.options())
	if err != nil {
		return opt, err
	}
	db := ctdmetadata.NewDB(file, blobs, map[string]ctdsnapshot.Snapshotter{snapshotter: snapshots})
	if err := db.Init(context.Background()); err != nil {
		return opt, err
	}
	refs, err := metadata.NewStore(filepath.Join(root, "metadata_v2.db"))
	if err != nil {
		return opt, err
	}
	if file, ok := refs.DB().(*bolt.DB); ok {
		file.NoSync = kept.unsynced
	}
	id, err := base.ID(root)
	if err != nil {
		return opt, err
	}
	content := containerdsnapshot.NewContentStore(db.ContentStore(), namespace)
	return base.WorkerOpt{
		ID: id, Root: root,
		Labels: map[string]string{
			wlabel.Executor: "oci", wlabel.Snapshotter: snapshotter, wlabel.Network: "host", wlabel.OCIProcessMode: oci.ProcessSandbox.String(),
		},
		Platforms:        []ocispecs.Platform{platforms.Normalize(platforms.DefaultSpec())},
		NetworkProviders: networks,
		Executor:         executor,
		ResourceMonitor:  monitor,
		ParallelismSem:   semaphore.NewWeighted(int64(max(4, runtime.NumCPU()))),
		Snapshotter:      containerdsnapshot.NewSnapshotter(snapshotter, db.Snapshotter(snapshotter), namespace, nil),
		ContentStore:     content,
		Applier:          apply.NewFileSystemApplier(content),
		Differ:           walking.NewWalkingDiff(content),
		LeaseManager:     leaseutil.WithNamespace(ctdmetadata.NewLeaseManager(db), namespace),
		GarbageCollect:   db.GarbageCollect,
		MetadataStore:    refs,
		MountPoolRoot:    filepath.Join(root, "cachemounts"),
		RegistryHosts:    registryHosts(o),
		GCPolicy:         gcPolicy(o.KeepBytes),
	}, nil
}
