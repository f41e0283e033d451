package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// mostArchived bounds the files of an archive: a handful for each layer.
const mostArchived = 100_000

// OpenDockerArchive opens an image in an archive that docker save wrote. want is one of its tags
// ("example.com/spark:3.5"), or empty where the archive holds one image only. An archive that is a packed OCI layout
// opens too; want is its platform then, which says nothing where docker save wrote one image: that is for one platform.
//
// The image's layers are as they stand in the archive, mostly uncompressed, and its manifest says so: it is not the
// manifest that the image had in a registry.
func OpenDockerArchive(file, want string) (v1.Image, error) {
	object := "the archive " + file
	a, err := indexArchive(file, object)
	if err != nil {
		return nil, err
	}
	l := &ociLayout{object: object, open: a.open}
	raw, err := l.read("manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := a.find("index.json"); err != nil {
			return nil, fmt.Errorf("%w: %s is neither what docker save writes nor a packed OCI layout: it holds no manifest.json and no index.json", verdict.ErrUsage, object)
		}
		images, err := layoutImages(object, a.open)
		if err != nil {
			return nil, err
		}
		return pick(images, want, object)
	}
	if err != nil {
		return nil, err
	}
	var images []archivedImage
	if err := json.Unmarshal(raw, &images); err != nil {
		return nil, malformed(object, verdict.Place{File: "manifest.json"}, "it is not JSON as docker save writes it: %v", err)
	}
	found, err := pickTag(images, want, object)
	if err != nil {
		return nil, err
	}
	if _, err := a.find(found.Config); err != nil {
		return nil, malformed(object, verdict.Place{File: found.Config}, "the archive lacks this configuration of an image")
	}
	config, err := l.read(path.Clean(found.Config))
	if err != nil {
		return nil, err
	}
	return a.image(config, found)
}

// archivedImage is one element of manifest.json.
type archivedImage struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

func pickTag(images []archivedImage, want, object string) (archivedImage, error) {
	var tags []string
	for _, found := range images {
		if want != "" && slices.Contains(found.RepoTags, want) {
			return found, nil
		}
		tags = append(tags, found.RepoTags...)
	}
	switch {
	case !strings.Contains(want, ":") && len(images) == 1:
		return images[0], nil
	case len(images) == 0:
		return archivedImage{}, malformed(object, verdict.Place{}, "it holds no image")
	default:
		return archivedImage{}, fmt.Errorf("%w: %s holds %d images: choose one by its tag: %s",
			verdict.ErrUsage, object, len(images), strings.Join(tags, ", "))
	}
}

// archive is a tar file whose members can be opened one by one.
type archive struct {
	file, object string
	members      map[string]member
}

type member struct {
	offset, size int64
	link         string // old versions of docker save link to a layer that stands in the archive already
}

func indexArchive(file, object string) (*archive, error) {
	if err := notAFile(file, object); err != nil {
		return nil, err
	}
	opened, err := os.Open(file)
	if err != nil {
		return nil, unreadable(object, err)
	}
	defer opened.Close()
	if err := packed(opened, object); err != nil {
		return nil, err
	}
	a := &archive{file, object, map[string]member{}}
	reader := tar.NewReader(opened)
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return a, nil
		}
		if known := (*fs.PathError)(nil); errors.As(err, &known) {
			return nil, unreadable(object, err)
		}
		if err != nil {
			return nil, malformed(object, verdict.Place{}, "it is not an uncompressed tar, or it is cut off: %v", err)
		}
		if len(a.members) >= mostArchived {
			return nil, overLimit(object, verdict.Place{}, "of files in one archive", mostArchived, "it holds too many files")
		}
		name := path.Clean(header.Name)
		switch header.Typeflag {
		case tar.TypeReg:
			offset, err := opened.Seek(0, io.SeekCurrent) // tar.Reader reads no further than the header
			if err != nil {
				return nil, unreadable(object, err)
			}
			a.members[name] = member{offset: offset, size: header.Size}
		case tar.TypeSymlink, tar.TypeLink:
			link := path.Clean(header.Linkname)
			if header.Typeflag == tar.TypeSymlink {
				link = path.Join(path.Dir(name), header.Linkname)
			}
			a.members[name] = member{link: link}
		}
	}
}

// notAFile refuses what no archive is, before it is opened: a pipe would be waited for.
func notAFile(file, object string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s does not exist", verdict.ErrUsage, object)
	case err != nil:
		return unreadable(object, err)
	case info.IsDir():
		return fmt.Errorf("%w: %s is a folder. If it is an OCI layout, name it oci-layout:%s", verdict.ErrUsage, object, file)
	case !info.Mode().IsRegular(): // its members are found by where they stand
		return fmt.Errorf("%w: %s is no regular file. Write the archive to one first", verdict.ErrUsage, object)
	}
	return nil
}

// packed refuses an archive that somebody compressed as a whole, which says nothing against the image in it.
func packed(opened *os.File, object string) error {
	magic := make([]byte, 4)
	n, err := opened.ReadAt(magic, 0)
	if err != nil && err != io.EOF {
		return unreadable(object, err)
	}
	if by := compressedBy(magic[:n]); by != "" {
		return fmt.Errorf("%w: %s is compressed with %s. Unpack it first: its files must be found where they stand", verdict.ErrUsage, object, by)
	}
	return nil
}

// compressedBy names what compressed a file that begins so; empty: nothing that is known.
func compressedBy(magic []byte) string {
	for name, begins := range map[string][]byte{"gzip": gzipMagic, "zstd": zstdMagic, "xz": []byte("\xfd7zX"), "bzip2": []byte("BZh")} {
		if bytes.HasPrefix(magic, begins) {
			return name
		}
	}
	return ""
}

// find follows links, of which docker save writes no chains.
func (a *archive) find(name string) (member, error) {
	found, ok := a.members[path.Clean(name)]
	if ok && found.link != "" {
		found, ok = a.members[found.link]
	}
	if !ok || found.link != "" {
		return member{}, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return found, nil
}

func (a *archive) open(name string) (io.ReadCloser, error) {
	found, err := a.find(name)
	if err != nil {
		return nil, err
	}
	opened, err := os.Open(a.file)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(opened, found.offset, found.size), opened}, nil
}

// image gives the archived image a manifest that describes its layers as they are stored.
func (a *archive) image(rawConfig []byte, found archivedImage) (v1.Image, error) {
	config, err := v1.ParseConfigFile(bytes.NewReader(rawConfig))
	if err != nil {
		return nil, malformed(a.object, verdict.Place{}, "its configuration is not JSON: %v", err)
	}
	if len(config.RootFS.DiffIDs) != len(found.Layers) {
		return nil, malformed(a.object, verdict.Place{}, "it has %d layers, but the configuration has %d diff ids", len(found.Layers), len(config.RootFS.DiffIDs))
	}
	configDigest, configSize, err := v1.SHA256(bytes.NewReader(rawConfig))
	if err != nil {
		return nil, unreadable(a.object, err)
	}
	manifest := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: configDigest, Size: configSize},
		Layers: []v1.Descriptor{},
	}
	names := map[v1.Hash]string{}
	for i, name := range found.Layers {
		desc, err := a.layer(name, config.RootFS.DiffIDs[i])
		if err != nil {
			return nil, err
		}
		manifest.Layers, names[desc.Digest] = append(manifest.Layers, desc), name
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		return nil, unreadable(a.object, err)
	}
	return newStored(manifest.MediaType, raw,
		func(v1.Descriptor) ([]byte, error) { return rawConfig, nil },
		func(desc v1.Descriptor) (io.ReadCloser, error) { return a.open(names[desc.Digest]) })
}

// layer describes a layer as it is stored: where it is not compressed its digest is its diff id, which is compared
// when the layer is read.
func (a *archive) layer(name string, diffID v1.Hash) (v1.Descriptor, error) {
	found, err := a.find(name)
	if err != nil {
		return v1.Descriptor{}, malformed(a.object, verdict.Place{File: name}, "the archive lacks this layer")
	}
	blob, err := a.open(name)
	if err != nil {
		return v1.Descriptor{}, unreadable(a.object, err)
	}
	defer blob.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(blob, magic); err != nil {
		return v1.Descriptor{}, malformed(a.object, verdict.Place{File: name}, "the layer is cut off")
	}
	desc := v1.Descriptor{MediaType: types.OCIUncompressedLayer, Digest: diffID, Size: found.size}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		desc.MediaType = types.OCILayer
	case bytes.HasPrefix(magic, zstdMagic):
		desc.MediaType = types.OCILayerZStd
	default:
		return desc, nil
	}
	desc.Digest, _, err = v1.SHA256(io.MultiReader(bytes.NewReader(magic), blob))
	if err != nil {
		return v1.Descriptor{}, unreadable(a.object, err)
	}
	return desc, nil
}
