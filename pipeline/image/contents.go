package image

import (
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Contents is all that was learnt of one image. It is not changed once Read has returned it, and may be used by
// several goroutines.
type Contents struct {
	// Digest is the manifest's digest, "sha256:…".
	Digest string
	// Config is the image's configuration as it stands in the image: not masked.
	Config *v1.ConfigFile
	// Layers stand bottom first.
	Layers []LayerRecord

	tree *tree
}

// LayerRecord is one layer: its place in this image, and what it holds. Entries, Results, Bodies and Packages may be
// shared with other records of the same layer and must not be changed.
type LayerRecord struct {
	Index  int    // from 0, bottom first
	DiffID string // digest of the uncompressed tar, "sha256:…"
	Digest string // digest of the blob as stored
	Size   int64  // bytes of the blob as stored
	// CreatedBy is the history entry that made the layer, as it stands in the image: not masked. Empty where the
	// image has no history or its history does not fit its layers.
	CreatedBy string
	// Cached says that the record came from the cache: the layer's blob was not opened.
	Cached bool

	Layer
}

// Layer is what one layer holds, independent of the image that it stands in. It is what the cache keeps.
type Layer struct {
	// Entries are the tar's headers in the tar's order, whiteouts included.
	Entries Entries
	// Uncompressed is the length of the tar stream in bytes; Bytes is the sum of its regular files' sizes.
	Uncompressed, Bytes int64
	// Results holds, by analyzer key and path, what that analyzer said of the file.
	Results map[string]map[string]json.RawMessage
	// Bodies holds, by path, small well-known files. What must never be kept (password hashes) was cut out of them,
	// and of shell profiles only the assignments of PATH and of homes were taken.
	Bodies map[string][]byte
	// Packages holds, by path of the package manager's database, what it lists.
	Packages map[string][]Package
}
