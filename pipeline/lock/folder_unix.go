//go:build !windows

package lock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// try locks an open file or folder if nobody else has it.
func try(file *os.File) (free bool, err error) {
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// openFolder opens what stands for a folder: the folder itself.
func openFolder(path string) (*os.File, error) { return os.Open(path) }

// Remove removes a folder that TryFolder gave, and lets it go then: nobody takes it in between.
func Remove(path string, held *os.File) error { return errors.Join(os.RemoveAll(path), held.Close()) }

// busy says whether something failed only because somebody has a file open. Here nothing does.
func busy(error) bool { return false }
