package engine

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// dialLocal connects to a pipe of this machine, or to a socket.
func dialLocal(ctx context.Context, socket string) (net.Conn, error) {
	if strings.HasPrefix(socket, `\\`) {
		return winio.DialPipeContext(ctx, socket)
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", socket)
}

// isRefused says that nobody listens at the socket. A pipe that nobody listens at is not there.
func isRefused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }
