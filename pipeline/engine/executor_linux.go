package engine

import (
	"context"
	"encoding/json"
	"path"
	"time"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/moby/buildkit/executor"
	resourcestypes "github.com/moby/buildkit/executor/resources/types"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/util/bklog"
	"github.com/moby/sys/user"
)

// ward stands between BuildKit and the runtime. BuildKit has computed a step's cache key by then, so nothing that is
// added here changes what is cached or exported.
type ward struct {
	executor.Executor
	root     string
	key      []byte
	caBundle string
	cgroups  cgroups
}

// Run starts a container: a build step, or the first process of a gateway container.
func (w *ward) Run(ctx context.Context, id string, root executor.Mount, mounts []executor.Mount, process executor.ProcessInfo, started chan<- struct{}) (resourcestypes.Recorder, error) {
	ask, env, err := takeOrder(w.key, process.Meta.Env)
	if err != nil {
		return nil, err
	}
	process.Meta.Env = env
	if id == "" {
		id = identity.NewID()
	}
	if ask != nil {
		return w.runSandbox(ctx, id, root, mounts, process, started, *ask)
	}
	if w.caBundle != "" {
		ctx = withBundle(ctx, w.caBundle)
		process.Meta.Env = withCA(process.Meta.Env)
	}
	return w.Executor.Run(ctx, id, root, mounts, process, started)
}

// Exec starts a further process in a running container; what its first process asked for holds for it too.
func (w *ward) Exec(ctx context.Context, id string, process executor.ProcessInfo) error {
	_, env, err := takeOrder(w.key, process.Meta.Env)
	if err != nil {
		return err
	}
	process.Meta.Env = env
	return w.Executor.Exec(ctx, id, process)
}

func (w *ward) runSandbox(ctx context.Context, id string, root executor.Mount, mounts []executor.Mount, process executor.ProcessInfo, started chan<- struct{}, ask order) (resourcestypes.Recorder, error) {
	mounts = mounts[:len(mounts):len(mounts)]
	for _, bind := range ask.Binds {
		mounts = append(mounts, readOnly(bind.Source, bind.Target))
	}
	group := w.cgroups.create(path.Join(cgroupName(w.root), id), ask.Limits)
	defer group.remove()
	process.Meta.CgroupParent = group.parent()
	report := group.report()
	if err := writeReport(w.root, ask.Token, report); err != nil {
		bklog.G(ctx).WithError(err).Error("writing the container's report")
	}
	recorder, err := w.Executor.Run(ctx, id, root, mounts, process, started)
	group.observe(&report)
	report.Ended = true
	if err := writeReport(w.root, ask.Token, report); err != nil {
		bklog.G(ctx).WithError(err).Error("writing the container's report")
	}
	if recorder != nil {
		// The runtime's own group lies below ours and goes when the recorder closes.
		waited := make(chan struct{})
		go func() { _ = recorder.Wait(); close(waited) }()
		select {
		case <-waited:
		case <-time.After(2 * time.Second):
		}
	}
	return recorder, err
}

// readOnly shows a file of the host in a container.
func readOnly(source, target string) executor.Mount {
	return executor.Mount{Src: hostFile(source), Dest: target, Readonly: true}
}

type hostFile string

// Mount makes the file a mountable of BuildKit's.
func (f hostFile) Mount(context.Context, bool) (executor.MountableRef, error) { return f.ref(), nil }

func (f hostFile) ref() executor.MountableRef { return hostFileRef(f) }

type hostFileRef string

// Mount says how the runtime shall mount the file.
func (f hostFileRef) Mount() ([]mount.Mount, func() error, error) {
	return []mount.Mount{{Type: "bind", Source: string(f), Options: []string{"rbind", "ro"}}}, func() error { return nil }, nil
}

// IdentityMapping is none: the engine runs as root.
func (f hostFileRef) IdentityMapping() *user.IdentityMapping { return nil }

// writeReport replaces the report of token in one move, so that a reader never sees half of one.
func writeReport(root, token string, report SandboxReport) error {
	body, err := json.Marshal(report)
	if err != nil {
		return err
	}
	return lock.Write(reportPath(root, token), 0o600, body)
}
