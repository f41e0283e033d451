//go:build !windows

package registry

import (
	"errors"
	"syscall"
)

// isRefused says that nobody listens at the address.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// isReset says that the other side, or something in between, broke the connection.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
