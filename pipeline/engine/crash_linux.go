package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"
	bolt "go.etcd.io/bbolt"
)

// What lies below the state folder can all be made again, so no step waits until a record of it has reached the disk: a
// build makes a thousand records, and a disk takes milliseconds for each. When this process dies, the kernel still
// writes them; only when the machine goes down do they come to harm. A marker with the name of the machine's present
// boot lies in the folder while that can happen, and an engine that finds one of another boot begins with an empty cache.

const (
	openMarker = "records-open"
	bootFile   = "/proc/sys/kernel/random/boot_id"
)

// records opens the databases of one engine.
type records struct {
	root     string // the state folder
	unsynced bool
}

// openRecords makes sure that the records below root are whole, and says how to open them. The folder is locked.
func openRecords(root string) (records, error) {
	boot, err := os.ReadFile(bootFile)
	if err != nil { // not told apart from another boot: then everything waits for the disk
		return records{root: root}, nil
	}
	marker := filepath.Join(root, openMarker)
	found, err := os.ReadFile(marker)
	switch {
	case err == nil && bytes.Equal(found, boot):
		return records{root: root, unsynced: true}, nil // the engine before was killed
	case err == nil:
		logrus.Warn("the machine went down while an engine was at work: dropping the build cache, whose records may be damaged")
		if err := os.RemoveAll(filepath.Join(root, "buildkit")); err != nil {
			return records{}, fmt.Errorf("dropping a cache that the machine's end may have damaged: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return records{}, fmt.Errorf("the engine's state folder: %w", err)
	}
	// The marker itself does wait: it must be there before the first record is.
	if err := writeSynced(marker, boot); err != nil {
		return records{}, fmt.Errorf("the engine's state folder: %w", err)
	}
	return records{root: root, unsynced: true}, nil
}

// options are those of a database.
func (r records) options() *bolt.Options {
	return &bolt.Options{FreelistType: bolt.FreelistMapType, NoSync: r.unsynced}
}

// close brings the records to the disk, when no database is open any more.
func (r records) close() error {
	if !r.unsynced {
		return nil
	}
	for _, pattern := range []string{"*.db", "*/*.db", "*/snapshots/*.db"} {
		found, err := filepath.Glob(filepath.Join(r.root, "buildkit", pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			if err := syncFile(path); err != nil {
				return fmt.Errorf("writing the engine's records: %w", err) // the marker stays
			}
		}
	}
	return os.Remove(filepath.Join(r.root, openMarker))
}

func writeSynced(path string, body []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(body)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}

func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
