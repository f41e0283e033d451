//go:build unix

package pipeline

import "golang.org/x/sys/unix"

// roomIn is how many bytes this user may still write to the file system of folder.
func roomIn(folder string) (int64, error) {
	var room unix.Statfs_t
	if err := unix.Statfs(folder, &room); err != nil {
		return 0, err
	}
	return int64(room.Bavail) * int64(room.Bsize), nil //nolint:unconvert // the types differ from system to system
}
