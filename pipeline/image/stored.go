package image

import (
	"bytes"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// storedImage is an image whose manifest and configuration are in memory and whose blobs stand somewhere.
type storedImage struct {
	mediaType   types.MediaType
	raw, config []byte
	manifest    *v1.Manifest
	diffIDs     []v1.Hash
	blob        func(v1.Descriptor) (io.ReadCloser, error)
}

func newStored(mediaType types.MediaType, raw []byte, small func(v1.Descriptor) ([]byte, error), blob func(v1.Descriptor) (io.ReadCloser, error)) (v1.Image, error) {
	manifest, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, malformed("an image's manifest", verdict.Place{}, "it is not JSON of a manifest: %v", err)
	}
	config, err := small(manifest.Config)
	if err != nil {
		return nil, err
	}
	file, err := v1.ParseConfigFile(bytes.NewReader(config))
	if err != nil {
		return nil, malformed("an image's configuration", verdict.Place{}, "it is not JSON of a configuration: %v", err)
	}
	if len(file.RootFS.DiffIDs) != len(manifest.Layers) {
		return nil, malformed("an image's manifest", verdict.Place{}, "it has %d layers, but the configuration has %d diff ids",
			len(manifest.Layers), len(file.RootFS.DiffIDs))
	}
	return partial.CompressedToImage(&storedImage{mediaType, raw, config, manifest, file.RootFS.DiffIDs, blob})
}

func (s *storedImage) MediaType() (types.MediaType, error) { return s.mediaType, nil }
func (s *storedImage) RawManifest() ([]byte, error)        { return s.raw, nil }
func (s *storedImage) RawConfigFile() ([]byte, error)      { return s.config, nil }

func (s *storedImage) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	if digest == s.manifest.Config.Digest {
		return partial.ConfigLayer(s)
	}
	for i, desc := range s.manifest.Layers {
		if desc.Digest == digest {
			return storedBlob{desc, s.diffIDs[i], s.blob}, nil
		}
	}
	return nil, fmt.Errorf("the image has no layer %s", digest)
}

type storedBlob struct {
	desc   v1.Descriptor
	diffID v1.Hash
	open   func(v1.Descriptor) (io.ReadCloser, error)
}

func (b storedBlob) Digest() (v1.Hash, error)            { return b.desc.Digest, nil }
func (b storedBlob) DiffID() (v1.Hash, error)            { return b.diffID, nil }
func (b storedBlob) Size() (int64, error)                { return b.desc.Size, nil }
func (b storedBlob) MediaType() (types.MediaType, error) { return b.desc.MediaType, nil }
func (b storedBlob) Compressed() (io.ReadCloser, error)  { return b.open(b.desc) }

// compare says whether raw is what digest promises.
func compare(object string, raw []byte, digest v1.Hash) error {
	got, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return unreadable(object, err)
	}
	if got != digest {
		return malformed(object, verdict.Place{}, "a blob has the digest %s, but %s is promised", got, digest)
	}
	return nil
}

// Descriptor keeps annotations and foreign URLs in copies of the image.
func (b storedBlob) Descriptor() (*v1.Descriptor, error) { return b.desc.DeepCopy(), nil }
