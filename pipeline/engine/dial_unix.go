//go:build !windows

package engine

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// dialLocal connects to a socket of this machine.
func dialLocal(ctx context.Context, socket string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", socket)
}

// isRefused says that nobody listens at the socket.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
