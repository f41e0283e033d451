package lock

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes a file, with its folders, that readers see whole or not at all: it is written under another name beside its
// place, and then takes the place of what is there.
func Write(path string, mode fs.FileMode, body []byte) error {
	return WriteBy(path, mode, func(file io.Writer) error {
		_, err := file.Write(body)
		return err
	})
}

// WriteBy is Write for what is not in memory.
func WriteBy(path string, mode fs.FileMode, write func(io.Writer) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, folderMode(mode)); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(file), file.Chmod(mode), file.Close())
	if err == nil {
		err = Replace(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// folderMode lets into a new folder whom mode lets read the files.
func folderMode(mode fs.FileMode) fs.FileMode { return mode | mode&0o444>>2 | 0o300 }
