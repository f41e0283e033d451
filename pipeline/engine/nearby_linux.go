package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/moby/buildkit/cache"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/source"
	"github.com/moby/buildkit/source/local"
	"github.com/moby/buildkit/util/bklog"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// nearby is BuildKit's source of local folders, but that it reads those of this machine itself. BuildKit would have the
// client send them, each piece of each file wrapped twice, and through two processes: of a build that copies hundreds of
// megabytes that is a good part.
//
// Only who reads is different. What is read, what is kept of an older copy, and under which key, is BuildKit's doing: it
// is given a session that ends in this process.
type nearby struct{ source.Source }

// findWithin bounds the question where a folder lies.
const findWithin = 5 * time.Second

func newNearby(accessor cache.Accessor) (*nearby, error) {
	far, err := local.NewSource(local.Opt{CacheAccessor: accessor})
	return &nearby{Source: far}, err
}

// Resolve is for BuildKit's source manager.
func (n *nearby) Resolve(ctx context.Context, id source.Identifier, sessions *session.Manager, vertex solver.Vertex) (source.SourceInstance, error) {
	far, err := n.Source.Resolve(ctx, id, sessions, vertex)
	if err != nil {
		return nil, err
	}
	folder, ok := id.(*local.LocalIdentifier)
	// Single files (the Dockerfile, .dockerignore) are sent sooner than a session is made.
	if !ok || folder.SessionID == "" || len(folder.IncludePatterns) > 0 {
		return far, nil
	}
	return &nearbyFolder{SourceInstance: far, source: n.Source, folder: *folder, sessions: sessions, vertex: vertex}, nil
}

type nearbyFolder struct {
	source.SourceInstance // by which the client sends it

	source   source.Source
	folder   local.LocalIdentifier
	sessions *session.Manager
	vertex   solver.Vertex
}

// Snapshot makes the engine's copy of the folder.
func (f *nearbyFolder) Snapshot(ctx context.Context, job solver.JobContext) (cache.ImmutableRef, error) {
	files, sharedKey, err := f.find(ctx)
	if err != nil {
		bklog.G(ctx).WithError(err).Debugf("the folder %s is sent by the client", f.folder.Name)
		return f.SourceInstance.Snapshot(ctx, job)
	}
	s, err := session.NewSession(ctx, sharedKey)
	if err != nil {
		return nil, err
	}
	s.Allow(filesync.NewFSSyncProvider(filesync.StaticDirSource{f.folder.Name: files}))
	sessions, err := session.NewManager()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_ = s.Run(ctx, func(ctx context.Context, _ string, meta map[string][]string) (net.Conn, error) {
			return loop(ctx, sessions, meta)
		})
	}()
	defer s.Close()
	here := f.folder
	here.SessionID = s.ID()
	instance, err := f.source.Resolve(ctx, &here, sessions, f.vertex)
	if err != nil {
		return nil, err
	}
	return instance.Snapshot(ctx, job)
}

// loop connects a session of this process to a manager of this process.
func loop(ctx context.Context, sessions *session.Manager, meta map[string][]string) (net.Conn, error) {
	ours, theirs, err := connected()
	if err != nil {
		return nil, err
	}
	go func() { _ = sessions.HandleConn(ctx, theirs, meta) }()
	return ours, nil
}

func connected() (one, other net.Conn, err error) {
	ends := [2]*os.File{}
	if ends[0], ends[1], err = pair(unix.SOCK_STREAM); err != nil {
		return nil, nil, err
	}
	defer ends[0].Close() // net.FileConn duplicates them
	defer ends[1].Close()
	if one, err = net.FileConn(ends[0]); err != nil {
		return nil, nil, err
	}
	if other, err = net.FileConn(ends[1]); err != nil {
		_ = one.Close()
		return nil, nil, err
	}
	return one, other, nil
}

// find opens the folder where the session says that it lies, if that is the same folder here.
func (f *nearbyFolder) find(ctx context.Context) (fsutil.FS, string, error) {
	ctx, cancel := context.WithTimeout(ctx, findWithin)
	defer cancel()
	caller, err := f.sessions.Get(ctx, f.folder.SessionID, false)
	if err != nil {
		return nil, "", err
	}
	method := session.MethodURL(foldersService, foldersMethod)
	if !caller.Supports(method) {
		return nil, "", fmt.Errorf("its session does not say where it lies")
	}
	var answer wrapperspb.BytesValue
	if err := caller.Conn().Invoke(ctx, method, wrapperspb.String(f.folder.Name), &answer); err != nil {
		return nil, "", err
	}
	var there whereabouts
	if err := json.Unmarshal(answer.Value, &there); err != nil {
		return nil, "", err
	}
	if here, err := lookAt(there.Path); err != nil || here != there {
		return nil, "", fmt.Errorf("%s is another folder for the engine: %w", there.Path, err)
	}
	files, err := Folder(there.Path)
	return files, caller.SharedKey(), err
}
