package engine

import (
	"os"
	"syscall"
)

// inodeOf tells folders apart that have the same path in different mount namespaces.
func inodeOf(info os.FileInfo) (device, inode uint64) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev), stat.Ino
	}
	return 0, 0
}
