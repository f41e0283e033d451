package engine

import (
	"net"

	"github.com/moby/buildkit/session"
	"google.golang.org/grpc"
)

// GroupName is for tests that look for what an engine leaves.
func GroupName(root string) string { return cgroupName(root) }

// Dial is for tests that put another door before the engine.
func (e *Engine) Dial() (net.Conn, error) { return e.child.(*child).wire.dial() }

// Elsewhere says of each folder that it is another one, as a path may be to an engine with mounts of its own.
func Elsewhere(paths map[string]string) session.Attachable { return elsewhere{folders(paths)} }

type elsewhere struct{ folders }

func (e elsewhere) find(name string) (whereabouts, error) {
	found, err := e.folders.find(name)
	found.Inode++
	return found, err
}

func (e elsewhere) Register(server *grpc.Server) { server.RegisterService(foldersDesc(), e) }
