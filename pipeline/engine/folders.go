package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/session"
	"github.com/tonistiigi/fsutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Folder opens a folder of this machine for a build, as BuildKit's client wants it.
func Folder(path string) (fsutil.FS, error) {
	files, err := fsutil.NewFS(path)
	if err != nil {
		return nil, err
	}
	return newPaced(files), nil
}

// Folders tells an embedded engine where the local folders of a session lie, by their names in it. The engine runs on
// the same machine and reads them itself: nothing has to go through the session, file by file. An engine that does not
// know the question never asks it.
func Folders(paths map[string]string) session.Attachable { return folders(paths) }

type folders map[string]string

// whereabouts says which folder is meant, beyond doubt: a path may mean something else to the engine, whose mounts are
// its own since it was started.
type whereabouts struct {
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
}

const (
	foldersService = "hallmark.engine.Folders"
	foldersMethod  = "Find"
)

// finder is what the service's handler has; gRPC checks it at registration.
type finder interface {
	find(name string) (whereabouts, error)
}

// Register is for BuildKit's session.
func (f folders) Register(server *grpc.Server) { server.RegisterService(foldersDesc(), f) }

func foldersDesc() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: foldersService,
		HandlerType: (*finder)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: foldersMethod, Handler: answerFind}},
	}
}

func answerFind(srv any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var name wrapperspb.StringValue
	if err := decode(&name); err != nil {
		return nil, err
	}
	found, err := srv.(finder).find(name.Value)
	if err != nil {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	body, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	return wrapperspb.Bytes(body), nil
}

func (f folders) find(name string) (whereabouts, error) {
	path, known := f[name]
	if !known {
		return whereabouts{}, fmt.Errorf("no folder is called %q", name)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return whereabouts{}, err
	}
	return lookAt(path)
}

func lookAt(path string) (whereabouts, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return whereabouts{}, err
	}
	if !info.IsDir() {
		return whereabouts{}, fmt.Errorf("%s is not a folder", path)
	}
	device, inode := inodeOf(info)
	return whereabouts{Path: path, Device: device, Inode: inode}, nil
}
