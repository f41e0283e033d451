package lock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// behind is the part of a file that is locked: a byte that no lock file has. Windows keeps others from reading what is
// locked, and who waits shall be able to read who has the lock.
var behind = windows.Overlapped{OffsetHigh: 1 << 30}

// try locks an open file if nobody else has it.
func try(file *os.File) (free bool, err error) {
	at := behind
	err = windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// heldName is the file in a folder that is locked in its place: Windows locks no folders.
const heldName = ".hallmark-held"

// openFolder opens what stands for a folder, which must be there.
func openFolder(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: errors.New("it is no folder")}
	}
	return os.OpenFile(filepath.Join(path, heldName), os.O_RDWR|os.O_CREATE, 0o600)
}

// Remove removes a folder that TryFolder gave. It lets go of it first, for Windows removes no file that is open. Who takes
// it in between does so to remove it, too.
func Remove(path string, held *os.File) error {
	err := held.Close()
	return errors.Join(err, persist(func() error { return os.RemoveAll(path) }, busy))
}

// busy says whether something failed only because somebody has a file open, who will close it again: a reader, or a
// program that looks for viruses.
func busy(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
}
