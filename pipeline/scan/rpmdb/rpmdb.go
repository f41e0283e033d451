// Package rpmdb reads the packages that rpm lists as installed, from each of the three formats of its database:
// SQLite (since Fedora 33, RHEL 9), Berkeley DB hash (before) and NDB (SUSE).
//
// The database comes out of an image that nobody vouches for: every length is compared with what is there, every chain
// of pages is bounded, and malformed data end in an error. It must not know images, layers or vulnerabilities.
package rpmdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Limits. A fully installed server lists some thousand packages of at most a few megabytes.
const (
	maxPackages = 200_000
	maxHeader   = 256 << 20
	maxTotal    = 4 << 30
)

// errTooMuch says that a limit is reached: no real database does.
var errTooMuch = errors.New("it holds more than any real rpm database")

// Read returns the packages in a database of size bytes.
func Read(ctx context.Context, body io.ReaderAt, size int64) ([]Package, error) {
	head := make([]byte, min(512, size))
	if _, err := body.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var packages []Package
	total := 0
	collect := func(blob []byte) error {
		if total += len(blob); total > maxTotal || len(packages) >= maxPackages {
			return errTooMuch
		}
		pkg, err := parseHeader(blob)
		if err != nil {
			return fmt.Errorf("package number %d: %w", len(packages)+1, err)
		}
		packages = append(packages, pkg)
		return nil
	}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		err = readSQLite(ctx, body, size, collect)
	case bytes.HasPrefix(head, []byte("RpmP")):
		err = readNDB(ctx, body, size, collect)
	default:
		err = readBerkeley(ctx, body, size, head, collect)
	}
	if err != nil {
		return nil, err
	}
	return packages, nil
}

// at reads length bytes at offset, which must lie inside the file.
func at(body io.ReaderAt, size, offset, length int64) ([]byte, error) {
	if offset < 0 || length < 0 || offset > size || length > size-offset {
		return nil, fmt.Errorf("%d bytes at %d are outside the file of %d", length, offset, size)
	}
	data := make([]byte, length)
	if _, err := body.ReadAt(data, offset); err != nil && !(errors.Is(err, io.EOF) && offset+length == size) {
		return nil, err
	}
	return data, nil
}
