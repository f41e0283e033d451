package build

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// owned is the folder inside a layout that holds the candidates which somebody still reads, each in a layout of its own.
// Blobs in them are second names of those in the layout around them: they cost no room, and stay when the next build
// drops the first name. Readers of OCI layouts pass over it.
const owned = ".hallmark-candidates"

// lend gives the candidate a layout of its own. Whoever calls it has the layout's lock.
func (l layoutFolder) lend(c *Candidate) (*Candidate, error) {
	err := l.lendTo(c)
	if err != nil {
		return nil, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "build.layout", Doing: "keeping the candidate in", Object: string(l), Cause: err,
			Remedy: "Check that the folder's file system has room and may be written to",
		}
	}
	return c, nil
}

func (l layoutFolder) lendTo(c *Candidate) error {
	all := filepath.Join(string(l), owned)
	if err := os.MkdirAll(all, 0o755); err != nil {
		return err
	}
	if err := sweep(all); err != nil {
		return err
	}
	blobs, whole := l.blobsOf(c.Digest)
	if !whole {
		return errors.New("a part of it is missing")
	}
	dir, err := os.MkdirTemp(all, "")
	if err != nil {
		return err
	}
	c.Layout = dir
	// The lock lies on the folder itself, and goes with this process. Another build cannot take it in between: it would
	// need the lock of the layout around it.
	held, free, err := lock.TryFolder(dir)
	if err != nil || !free {
		return errors.Join(errors.New("its lock cannot be had"), err, os.RemoveAll(dir))
	}
	c.held = held
	own := layoutFolder(dir)
	if err := os.MkdirAll(own.blobs(), 0o755); err != nil {
		return errors.Join(err, c.Release())
	}
	for _, sum := range blobs {
		if err := secondName(l.path(sum), own.path(sum)); err != nil {
			return errors.Join(err, c.Release())
		}
	}
	root := ocispecs.Descriptor{MediaType: c.MediaType, Digest: blobs[0], Size: c.Size}
	if err := own.name(root); err != nil {
		return errors.Join(err, c.Release())
	}
	return nil
}

// Release gives the candidate's own layout up. It may be called more than once.
func (c *Candidate) Release() error {
	if c == nil || c.held == nil {
		return nil
	}
	err := lock.Remove(c.Layout, c.held)
	c.held = nil
	return err
}

// sweep removes the candidates of processes that are gone.
func sweep(all string) error {
	entries, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := filepath.Join(all, entry.Name())
		held, free, err := lock.TryFolder(dir)
		if errors.Is(err, fs.ErrNotExist) { // released a moment ago
			continue
		}
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		if err := lock.Remove(dir, held); err != nil {
			return err
		}
	}
	return nil
}

// secondName gives the blob another name; where the file system has no second names, a copy.
func secondName(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) { // two layers of the same content
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
