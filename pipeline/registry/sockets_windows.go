package registry

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// isRefused says that nobody listens at the address. Windows has numbers of its own for what happens to connections.
func isRefused(err error) bool {
	return errors.Is(err, windows.WSAECONNREFUSED) || errors.Is(err, syscall.ECONNREFUSED)
}

// isReset says that the other side, or something in between, broke the connection.
func isReset(err error) bool {
	for _, reset := range []error{windows.WSAECONNRESET, windows.WSAECONNABORTED, windows.WSAESHUTDOWN, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, reset) {
			return true
		}
	}
	return false
}
