// Package starter looks at a repository and writes what Hallmark needs in it to begin with: a hallmark.yaml and a job for
// the CI system at hand. It finds out what it can, asks nothing, and never writes over a file.
//
// It reads files and changes none but those that it makes; it runs no program and asks no network.
package starter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// File is one file to write.
type File struct {
	Path string `json:"path"` // in the repository, with slashes
	Body string `json:"-"`
	// Exists says that there is a file of this name already, which is left alone.
	Exists bool `json:"exists"`
	// Note says what people have to do for the file to count; empty: nothing.
	Note string `json:"note,omitempty"`
}

// Files are what a repository needs, in the order in which people read them. version is the program's own.
func Files(s Survey, version string) ([]File, error) {
	workflow, err := workflow(s, version)
	if err != nil {
		return nil, err
	}
	files := []File{{Path: "hallmark.yaml", Body: configuration(s)}}
	if workflow.Path != "" {
		files = append(files, workflow)
	}
	for i, f := range files {
		if _, err := os.Lstat(filepath.Join(s.Root, filepath.FromSlash(f.Path))); err == nil {
			files[i].Exists = true
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: looking for %s: %w", verdict.ErrUsage, f.Path, err)
		}
	}
	return files, nil
}

// Write writes the files that do not exist yet.
func Write(root string, files []File) error {
	for _, f := range files {
		if f.Exists {
			continue
		}
		path := filepath.Join(root, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("%w: making the folder of %s: %w", verdict.ErrUsage, f.Path, err)
		}
		// O_EXCL: somebody may have made it since it was looked for.
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("%w: writing %s: %w", verdict.ErrUsage, f.Path, err)
		}
		_, err = file.WriteString(f.Body)
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("writing %s: %w", f.Path, err)
		}
	}
	return nil
}
