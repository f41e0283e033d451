//go:build unix

package registry

import (
	"os"
	"syscall"
)

// onlyOurs says that nobody but this user may write to the file.
func onlyOurs(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	return known && int(stat.Uid) == os.Geteuid()
}
