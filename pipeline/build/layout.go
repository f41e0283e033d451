package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	digest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

// layoutFolder is an OCI image layout on disk. Blobs in it are never rewritten.
type layoutFolder string

func (l layoutFolder) blobs() string { return filepath.Join(string(l), "blobs", "sha256") }

func (l layoutFolder) path(sum digest.Digest) string { return filepath.Join(l.blobs(), sum.Encoded()) }

// has says whether the blob is there in its full size; size 0 does not look.
func (l layoutFolder) has(sum digest.Digest, size int64) bool {
	info, err := os.Stat(l.path(sum))
	return err == nil && (size == 0 || info.Size() == size)
}

// open makes the folder and takes it for one build; the file that it returns lets go of it when closed.
func (l layoutFolder) open(ctx context.Context, wait time.Duration) (*os.File, error) {
	if err := os.MkdirAll(l.blobs(), 0o755); err != nil {
		return nil, err
	}
	return lock.Take(ctx, lock.Folder{Path: string(l), File: lockName, What: "the folder of the build's result", Code: "build.layout-busy", Wait: wait})
}

const lockName = ".hallmark-lock"

// sweep drops what a build that was killed has left half-done.
func (l layoutFolder) sweep() {
	left, err := filepath.Glob(filepath.Join(string(l), scratch+"*"))
	if err != nil {
		return // only a bad pattern is an error, and this one is good
	}
	for _, dir := range left {
		_ = os.RemoveAll(dir) // what stays costs room until the next build
	}
}

// adopt takes a file that lies on the same file system in as a blob, by a second name.
func (l layoutFolder) adopt(from string, sum digest.Digest) error {
	if l.has(sum, 0) {
		return nil
	}
	if err := os.Link(from, l.path(sum)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("taking the blob %s into %s: %w", sum, string(l), err)
	}
	return nil
}

// put writes a small blob.
func (l layoutFolder) put(body []byte) (digest.Digest, error) {
	sum := digest.FromBytes(body)
	if l.has(sum, int64(len(body))) {
		return sum, nil
	}
	return sum, replace(l.path(sum), body)
}

// replace puts body at path in one move.
func replace(path string, body []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, body) {
		return nil
	}
	return lock.Write(path, 0o644, body)
}

// newBlob is a blob that is being written; its name is known at the end.
type newBlob struct {
	folder layoutFolder
	file   *os.File
	sum    hash.Hash
	size   int64
}

func (l layoutFolder) create() (*newBlob, error) {
	file, err := os.CreateTemp(l.blobs(), ".new-")
	if err != nil {
		return nil, err
	}
	return &newBlob{folder: l, file: file, sum: sha256.New()}, nil
}

// Write adds to the blob.
func (b *newBlob) Write(p []byte) (int, error) {
	n, err := b.file.Write(p)
	b.sum.Write(p[:n])
	b.size += int64(n)
	return n, err
}

// digest is that of what was written so far.
func (b *newBlob) digest() digest.Digest { return sumOf(b.sum) }

// keep gives the blob its name.
func (b *newBlob) keep() (digest.Digest, int64, error) {
	sum := sumOf(b.sum)
	if err := errors.Join(b.file.Chmod(0o644), b.file.Close()); err != nil {
		return "", 0, err
	}
	return sum, b.size, lock.Replace(b.file.Name(), b.folder.path(sum))
}

// discard drops the blob unless it was kept.
func (b *newBlob) discard() {
	_ = b.file.Close()
	_ = os.Remove(b.file.Name())
}

// finish makes root the layout's only image, and drops what does not belong to it.
func (l layoutFolder) finish(root ocispecs.Descriptor, referenced map[digest.Digest]bool) error {
	if err := l.name(root); err != nil {
		return err
	}
	referenced[root.Digest] = true
	return l.drop(referenced)
}

// name makes root the layout's only image.
func (l layoutFolder) name(root ocispecs.Descriptor) error {
	version, err := json.Marshal(ocispecs.ImageLayout{Version: ocispecs.ImageLayoutVersion})
	if err != nil {
		return err
	}
	index, err := json.MarshalIndent(ocispecs.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageIndex, Manifests: []ocispecs.Descriptor{root},
	}, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		replace(filepath.Join(string(l), ocispecs.ImageLayoutFile), version),
		replace(filepath.Join(string(l), ocispecs.ImageIndexFile), index))
}

// maxDropped bounds the work of one clean-up; what is left over goes with the next build.
const maxDropped = 10_000

func (l layoutFolder) drop(referenced map[digest.Digest]bool) error {
	folder, err := os.Open(l.blobs())
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(maxDropped)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, name := range names {
		if !referenced[digest.NewDigestFromEncoded(digest.SHA256, name)] {
			if err := os.Remove(filepath.Join(l.blobs(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
