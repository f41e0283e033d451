package build

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Limits of an archive that docker save has written. Nothing in it is believed: names only connect its parts, digests
// are computed from what came, and files are named by them.
const (
	maxSavedEntries = 10_000
	maxSavedBytes   = 256 << 30
)

// savedArchive is what an archive held.
type savedArchive struct {
	store    layoutFolder
	manifest []byte
	files    map[string]savedFile // by name in the archive
	links    map[string]string
}

type savedFile struct {
	sum    digest.Digest
	passed bool // it was not kept, since somebody knows it
}

// readSaved reads an archive in either form that Docker has written: layers as ID/layer.tar (before version 25), or as
// blobs of an OCI layout. What it keeps goes into store; a blob that known knows is passed over.
func readSaved(from io.Reader, store layoutFolder, known func(digest.Digest) bool) (*savedArchive, error) {
	a := &savedArchive{store: store, files: map[string]savedFile{}, links: map[string]string{}}
	bounded := &io.LimitedReader{R: from, N: maxSavedBytes}
	entries := tar.NewReader(bounded)
	for count := 0; ; count++ {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && count >= maxSavedEntries {
			err = fmt.Errorf("more than %d entries", maxSavedEntries)
		}
		if err == nil {
			err = a.take(header, entries, known)
		}
		if bounded.N <= 0 {
			err = fmt.Errorf("more than %d bytes", int64(maxSavedBytes))
		}
		if err != nil {
			return nil, fmt.Errorf("the archive of the image: %w", err)
		}
	}
	return a, nil
}

func (a *savedArchive) take(header *tar.Header, body io.Reader, known func(digest.Digest) bool) error {
	name, err := inside(header.Name)
	if err != nil {
		return err
	}
	if header.Typeflag == tar.TypeDir {
		return nil
	}
	_, seen := a.files[name]
	if _, linked := a.links[name]; seen || linked || name == manifestName && a.manifest != nil {
		return fmt.Errorf("%q is in it twice", name)
	}
	switch header.Typeflag {
	case tar.TypeSymlink:
		a.links[name], err = inside(path.Join(path.Dir(name), header.Linkname))
		return err
	case tar.TypeLink:
		a.links[name], err = inside(header.Linkname)
		return err
	case tar.TypeReg:
	default:
		return fmt.Errorf("%q is neither file nor folder nor link", name)
	}
	for record := range header.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") { // holes would be written out: a few bytes could fill the disk
			return fmt.Errorf("%q has holes", name)
		}
	}
	return a.file(name, header.Size, body, known)
}

const manifestName = "manifest.json"

func (a *savedArchive) file(name string, size int64, body io.Reader, known func(digest.Digest) bool) (err error) {
	if name == manifestName {
		a.manifest, err = small(name, size, body)
		return err
	}
	if !kept(name) {
		return nil
	}
	claimed, err := claim(name)
	if err != nil {
		return err
	}
	if claimed != "" && known(claimed) {
		a.files[name] = savedFile{claimed, true}
		return nil
	}
	blob, err := a.store.create()
	if err != nil {
		return err
	}
	defer blob.discard()
	if _, err := io.Copy(blob, body); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	sum := blob.digest()
	if claimed != "" && claimed != sum {
		return fmt.Errorf("%s holds %s", name, sum)
	}
	if known(sum) && strings.HasSuffix(name, layerSuffix) {
		a.files[name] = savedFile{sum, true}
		return nil
	}
	_, _, err = blob.keep()
	a.files[name] = savedFile{sum, false}
	return err
}

const (
	layerSuffix = "/layer.tar"
	blobsPrefix = "blobs/sha256/"
)

// kept says which files the image is made of: layers, configuration, blobs. The rest describes them for old readers.
func kept(name string) bool {
	folder, base := path.Split(name)
	return strings.HasPrefix(name, blobsPrefix) || strings.HasSuffix(name, layerSuffix) ||
		folder == "" && strings.HasSuffix(base, ".json") && base != "index.json"
}

// claim is the digest that a blob's name claims; empty: the name claims none.
func claim(name string) (digest.Digest, error) {
	text, found := strings.CutPrefix(name, blobsPrefix)
	if !found {
		return "", nil
	}
	sum := digest.NewDigestFromEncoded(digest.SHA256, text)
	if err := sum.Validate(); err != nil {
		return "", fmt.Errorf("%q: %w", name, err)
	}
	return sum, nil
}

// inside refuses a name that leads out of the archive.
func inside(name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsRune(clean, 0) {
		return "", fmt.Errorf("the name %q leads out of it", name)
	}
	return clean, nil
}

func small(name string, size int64, body io.Reader) ([]byte, error) {
	if size > maxJSON {
		return nil, fmt.Errorf("%s holds %d bytes, more than the %d that are read", name, size, maxJSON)
	}
	text, err := io.ReadAll(io.LimitReader(body, maxJSON))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// maxLinks is how many links may stand between a name and its file.
const maxLinks = 4

func (a *savedArchive) find(name string) (savedFile, error) {
	wanted := path.Clean(name)
	for range maxLinks {
		if found, ok := a.files[wanted]; ok {
			return found, nil
		}
		target, ok := a.links[wanted]
		if !ok {
			break
		}
		wanted = target
	}
	return savedFile{}, fmt.Errorf("%q is not in it", name)
}

// image is the configuration of the only image in the archive, once it is sure that this is the image with the id, and
// that each of its layers is what the configuration says: the wanted ones in the store, the others known.
func (a *savedArchive) image(id digest.Digest, layers []digest.Digest, wanted map[digest.Digest]bool) ([]byte, error) {
	config, err := a.check(id, layers, wanted)
	if err != nil {
		return nil, fmt.Errorf("the archive of the image: %w", err)
	}
	return config, nil
}

func (a *savedArchive) check(id digest.Digest, layers []digest.Digest, wanted map[digest.Digest]bool) ([]byte, error) {
	var listed []struct {
		Config string
		Layers []string
	}
	if a.manifest == nil {
		return nil, fmt.Errorf("it has no %s", manifestName)
	}
	if err := json.Unmarshal(a.manifest, &listed); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	if len(listed) != 1 {
		return nil, fmt.Errorf("it holds %d images, not one", len(listed))
	}
	found, err := a.find(listed[0].Config)
	if err != nil {
		return nil, err
	}
	if found.sum != id || found.passed {
		return nil, fmt.Errorf("it holds the image %s, not %s", found.sum, id)
	}
	info, err := os.Stat(a.store.path(id))
	if err != nil {
		return nil, err
	}
	file, err := os.Open(a.store.path(id))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	config, err := small(listed[0].Config, info.Size(), file)
	if err != nil {
		return nil, err
	}
	var image ocispecs.Image
	if err := json.Unmarshal(config, &image); err != nil {
		return nil, fmt.Errorf("%s: %w", listed[0].Config, err)
	}
	if len(image.RootFS.DiffIDs) != len(layers) || len(listed[0].Layers) != len(layers) {
		return nil, fmt.Errorf("it holds %d layers, its configuration names %d, the daemon %d", len(listed[0].Layers), len(image.RootFS.DiffIDs), len(layers))
	}
	for i, sum := range layers {
		layer, err := a.find(listed[0].Layers[i])
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
		if image.RootFS.DiffIDs[i] != sum || layer.sum != sum || layer.passed && wanted[sum] {
			return nil, fmt.Errorf("layer %d is %s, its configuration says %s, the daemon %s", i+1, layer.sum, image.RootFS.DiffIDs[i], sum)
		}
	}
	return config, nil
}
