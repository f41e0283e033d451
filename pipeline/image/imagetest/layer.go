package imagetest

import (
	"bytes"
	"io"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// blobLayer is a layer from memory whose bytes are given out exactly as they are stored.
type blobLayer struct {
	blob           Blob
	digest, diffID v1.Hash
}

func newLayer(blob Blob) v1.Layer {
	digest, _, err := v1.SHA256(bytes.NewReader(blob.Packed))
	must(err)
	diffID, _, err := v1.SHA256(bytes.NewReader(blob.Tar))
	must(err)
	return &blobLayer{blob, digest, diffID}
}

func (l *blobLayer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l *blobLayer) DiffID() (v1.Hash, error)             { return l.diffID, nil }
func (l *blobLayer) Size() (int64, error)                 { return int64(len(l.blob.Packed)), nil }
func (l *blobLayer) MediaType() (types.MediaType, error)  { return l.blob.Type, nil }
func (l *blobLayer) Compressed() (io.ReadCloser, error)   { return reader(l.blob.Packed), nil }
func (l *blobLayer) Uncompressed() (io.ReadCloser, error) { return reader(l.blob.Tar), nil }

func reader(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
