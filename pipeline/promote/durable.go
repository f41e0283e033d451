package promote

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

// write stores an intent so that it survives a crash of the machine: written aside, synced, renamed, folder synced.
func (j journal) write(e entry) (err error) {
	if j.folder == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = j.trouble("writing", j.folder, err)
		}
	}()
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(j.folder, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(j.folder, ".promotion-*")
	if err != nil {
		return err
	}
	_, writeErr := file.Write(append(data, '\n'))
	err = errors.Join(writeErr, file.Sync(), file.Close())
	if err == nil {
		err = lock.Replace(file.Name(), j.path(e))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncFolder(j.folder)
}

// forget removes an intent; one that is gone already is as well.
func (j journal) forget(e entry) error {
	if j.folder == "" {
		return nil
	}
	if err := os.Remove(j.path(e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return j.trouble("clearing", filepath.Base(j.path(e)), err)
	}
	return nil
}
