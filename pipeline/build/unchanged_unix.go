//go:build !windows

package build

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// look is what changes with a file, whoever changes it: the time of its last change cannot be set back.
func look(path string) (string, error) {
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return "", err
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		// A folder's times change with whatever is put into it and taken out again.
		return fmt.Sprintf("%o %d %d", stat.Mode, stat.Uid, stat.Gid), nil
	}
	return fmt.Sprintf("%o %d %d %d %d.%d %d.%d", stat.Mode, stat.Uid, stat.Gid, stat.Size,
		stat.Mtim.Sec, stat.Mtim.Nsec, stat.Ctim.Sec, stat.Ctim.Nsec), nil
}
