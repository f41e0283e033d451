package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const (
	// mostIndexes bounds how deep indexes may stand in each other, and mostManifests how many one may list.
	mostIndexes   = 4
	mostManifests = 1024
)

// OpenLayout opens the image for platform want ("linux/amd64") in an OCI layout folder. Where want is empty, the folder
// must hold one image only. Manifest and configuration are compared with their digests here, layers when they are read.
func OpenLayout(dir, want string) (v1.Image, error) {
	images, err := LayoutImages(dir)
	if err != nil {
		return nil, err
	}
	return pick(images, want, "the OCI layout "+dir)
}

// PlatformImage is one of the images of an index.
type PlatformImage struct {
	Platform   string // "linux/amd64", "linux/arm64/v8"
	Descriptor v1.Descriptor
	Image      v1.Image
}

// LayoutImages opens all images in an OCI layout folder, in the index's order. Attestations are no images. An image
// that is listed twice, as BuildKit does for one with several names, is there once.
func LayoutImages(dir string) ([]PlatformImage, error) {
	return layoutImages("the OCI layout "+dir, func(name string) (io.ReadCloser, error) {
		return os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	})
}

// layoutImages reads an OCI layout whose files open gives.
func layoutImages(object string, open func(name string) (io.ReadCloser, error)) ([]PlatformImage, error) {
	l := &ociLayout{object: object, open: open, seen: map[v1.Hash]bool{}}
	raw, err := l.read("index.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s has no index.json: give the folder that the build wrote", verdict.ErrUsage, object)
	}
	if err != nil {
		return nil, err
	}
	if err := l.index(raw, mostIndexes); err != nil {
		return nil, err
	}
	return l.images, nil
}

// pick finds the image for platform want.
func pick(images []PlatformImage, want, object string) (v1.Image, error) {
	var there []string
	for _, found := range images {
		there = append(there, found.Platform)
	}
	if want == "" {
		if len(images) == 1 {
			return images[0].Image, nil
		}
		if len(images) == 0 {
			return nil, malformed(object, verdict.Place{}, "it holds no image")
		}
		return nil, fmt.Errorf("%w: %s holds images for %s: say for which platform", verdict.ErrUsage, object, strings.Join(there, ", "))
	}
	if at := slices.Index(there, want); at >= 0 {
		return images[at].Image, nil
	}
	for i, platform := range there { // linux/arm64 is content with linux/arm64/v8
		if strings.HasPrefix(platform, want+"/") {
			return images[i].Image, nil
		}
	}
	if len(images) == 0 {
		return nil, malformed(object, verdict.Place{}, "it holds no image")
	}
	return nil, &verdict.Error{
		Verdict: verdict.Fail, Code: CodePlatform, Doing: "opening", Object: object,
		Cause:  fmt.Errorf("it has no image for %s, only for %s", want, strings.Join(there, ", ")),
		Remedy: "Build the image for this platform, or ask for one that is there",
	}
}

type ociLayout struct {
	object string
	open   func(name string) (io.ReadCloser, error)
	images []PlatformImage
	seen   map[v1.Hash]bool
}

func (l *ociLayout) index(raw []byte, deep int) error {
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return malformed(l.object, verdict.Place{}, "its index is not JSON of an OCI index: %v", err)
	}
	if len(index.Manifests) > mostManifests {
		return overLimit(l.object, verdict.Place{}, "of manifests in one index", mostManifests, "an index lists %d manifests", len(index.Manifests))
	}
	for _, desc := range index.Manifests {
		if l.seen[desc.Digest] || isAttestation(desc) {
			continue
		}
		l.seen[desc.Digest] = true
		switch {
		case desc.MediaType.IsIndex():
			if deep == 0 {
				return overLimit(l.object, verdict.Place{}, "of nested indexes", mostIndexes, "its indexes stand in each other too deep")
			}
			nested, err := l.small(desc)
			if err != nil {
				return err
			}
			if err := l.index(nested, deep-1); err != nil {
				return err
			}
		case desc.MediaType.IsImage():
			if err := l.image(desc); err != nil {
				return err
			}
		}
	}
	return nil
}

// isAttestation tells BuildKit's attestations and OCI artifacts from images. Some tools give images an artifact type too,
// that of their configuration.
func isAttestation(desc v1.Descriptor) bool {
	artifact := types.MediaType(desc.ArtifactType)
	return desc.Annotations["vnd.docker.reference.type"] != "" || artifact != "" && !artifact.IsConfig() ||
		desc.Platform != nil && desc.Platform.OS == "unknown"
}

func (l *ociLayout) image(desc v1.Descriptor) error {
	manifest, err := l.small(desc)
	if err != nil {
		return err
	}
	img, err := newStored(desc.MediaType, manifest, l.small, l.blob)
	if err != nil {
		return err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return malformed(l.object, verdict.Place{}, "the configuration of %s is not JSON: %v", desc.Digest, err)
	}
	platform := v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant}
	l.images = append(l.images, PlatformImage{platform.String(), desc, img})
	return nil
}

// small reads a manifest or configuration and compares it with its digest.
func (l *ociLayout) small(desc v1.Descriptor) ([]byte, error) {
	name, err := l.name(desc.Digest)
	if err != nil {
		return nil, err
	}
	raw, err := l.read(name)
	if err != nil {
		return nil, err
	}
	return raw, compare(l.object, raw, desc.Digest)
}

// read reads a file that is small in every honest layout.
func (l *ociLayout) read(name string) ([]byte, error) {
	file, err := l.open(name)
	if err != nil {
		return nil, unreadable(l.object, err)
	}
	defer file.Close()
	most := Limits{}.withDefaults().ConfigBytes
	raw, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, unreadable(l.object, err)
	}
	if int64(len(raw)) > most {
		return nil, overLimit(l.object, verdict.Place{}, "config_bytes", most, "its %s is longer than allowed", name)
	}
	return raw, nil
}

func (l *ociLayout) blob(desc v1.Descriptor) (io.ReadCloser, error) {
	name, err := l.name(desc.Digest)
	if err != nil {
		return nil, err
	}
	blob, err := l.open(name)
	if err != nil {
		return nil, err
	}
	if file, ok := blob.(*os.File); ok { // others are as long as their archive says
		if info, err := file.Stat(); err == nil && info.Size() != desc.Size {
			return nil, errors.Join(malformed(l.object, verdict.Place{}, "the blob %s is %d bytes long, but the manifest promises %d", desc.Digest, info.Size(), desc.Size), blob.Close())
		}
	}
	return blob, nil
}

// name refuses digests that are none: they become file names.
func (l *ociLayout) name(digest v1.Hash) (string, error) {
	if _, err := v1.NewHash(digest.String()); err != nil {
		return "", malformed(l.object, verdict.Place{}, "%s is not a digest", clip(digest.String()))
	}
	return "blobs/" + digest.Algorithm + "/" + digest.Hex, nil
}
