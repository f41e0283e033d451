//go:build !windows

package promote

import (
	"errors"
	"os"
)

// syncFolder brings the folder's list of names to the disk.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
