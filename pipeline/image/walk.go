package image

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"math"
	"path"
	"strings"
	"sync/atomic"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// capabilityRecord is where a tar header keeps a file's Linux capabilities.
const capabilityRecord = "SCHILY.xattr.security.capability"

// budget is what all layers of one image may spend together.
type budget struct {
	limits                        Limits
	entries, names, bytes, bodies atomic.Int64
}

func (b *budget) spend(object, file string, entries, names, size, bodies int64) error {
	place := verdict.Place{File: file}
	switch {
	case b.entries.Add(entries) > b.limits.ImageEntries:
		return overLimit(object, place, "image_entries", b.limits.ImageEntries, "the image has too many entries")
	case b.names.Add(names) > b.limits.NameBytes:
		return overLimit(object, place, "name_bytes", b.limits.NameBytes, "the names in the image are too long together")
	case b.bytes.Add(size) > b.limits.ImageBytes:
		return overLimit(object, place, "image_bytes", b.limits.ImageBytes, "the image's files are too large together")
	case b.bodies.Add(bodies) > b.limits.BodyBytes:
		return overLimit(object, place, "body_bytes", b.limits.BodyBytes,
			"the package databases, user databases and entry points of the image are too large together")
	}
	return nil
}

// charge spends what a layer from the cache holds.
func (b *budget) charge(object string, l *Layer) error {
	var bodies int64
	for _, body := range l.Bodies {
		bodies += int64(len(body))
	}
	return b.spend(object, "", int64(l.Entries.Len()), int64(len(l.Entries.names)), l.Bytes, bodies)
}

// walker reads one layer's tar from start to end.
type walker struct {
	object  string
	limits  Limits
	budget  *budget
	bench   *bench
	layer   *Layer
	entries entriesBuilder
}

func (w *walker) walk(ctx context.Context, r io.Reader) error {
	w.layer.Bodies, w.layer.Packages = map[string][]byte{}, map[string][]Package{}
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return w.blame("", err)
		}
		if header.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		entry, err := w.entry(header)
		if err != nil {
			return err
		}
		index := len(w.entries.fixed)
		w.entries.add(entry)
		w.layer.Bytes += entry.Size
		w.supersede(entry.Path, index)
		if entry.Type == Regular && !isWhiteout(entry.Path) {
			if err := w.file(ctx, index, entry, header, archive); err != nil {
				return err
			}
		}
	}
	w.layer.Entries = w.entries.entries()
	return nil
}

// supersede forgets what was kept of an earlier entry of the same path: the last one counts.
func (w *walker) supersede(file string, index int) {
	delete(w.layer.Bodies, file)
	delete(w.layer.Packages, file)
	w.bench.supersede(file, index)
}

// entry checks a header and makes it compact.
func (w *walker) entry(header *tar.Header) (Entry, error) {
	place := verdict.Place{File: header.Name}
	name, err := w.name(header.Name, place)
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{Path: name, Mode: uint32(header.Mode & 0o7777)}
	switch header.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		entry.Type, entry.Size = Regular, header.Size
	case tar.TypeDir:
		entry.Type = Directory
	case tar.TypeSymlink:
		entry.Type, entry.Link = Symlink, header.Linkname
		if len(entry.Link) > w.limits.PathBytes {
			return Entry{}, overLimit(w.object, place, "path_bytes", int64(w.limits.PathBytes), "the symbolic link's target is %d bytes long", len(entry.Link))
		}
		if entry.Link == "" || strings.ContainsRune(entry.Link, 0) {
			return Entry{}, malformed(w.object, place, "the symbolic link has no usable target")
		}
	case tar.TypeLink:
		entry.Type = Hardlink
		if entry.Link, err = w.name(header.Linkname, place); err != nil {
			return Entry{}, err
		}
	case tar.TypeChar:
		entry.Type = CharDevice
	case tar.TypeBlock:
		entry.Type = BlockDevice
	case tar.TypeFifo:
		entry.Type = FIFO
	default:
		return Entry{}, malformed(w.object, place, "the entry is of the unknown kind %q", header.Typeflag)
	}
	if header.Uid < 0 || header.Gid < 0 || int64(header.Uid) > math.MaxUint32 || int64(header.Gid) > math.MaxUint32 {
		return Entry{}, malformed(w.object, place, "owner %d:%d is not a user and group of Linux", header.Uid, header.Gid)
	}
	entry.UID, entry.GID = uint32(header.Uid), uint32(header.Gid)
	var attributes int64
	for key, value := range header.PAXRecords {
		attributes += int64(len(key) + len(value))
	}
	if attributes > w.limits.AttributeBytes {
		return Entry{}, overLimit(w.object, place, "attribute_bytes", w.limits.AttributeBytes, "the entry has %d bytes of extended attributes", attributes)
	}
	entry.Capable = header.PAXRecords[capabilityRecord] != ""
	return entry, w.afford(entry, place)
}

// afford checks the limits that entries use up together.
func (w *walker) afford(entry Entry, place verdict.Place) error {
	if len(w.entries.fixed) >= w.limits.Entries {
		return overLimit(w.object, place, "entries", int64(w.limits.Entries), "the layer has too many entries")
	}
	if entry.Size > w.limits.LayerBytes-w.layer.Bytes {
		return overLimit(w.object, place, "layer_bytes", w.limits.LayerBytes, "with this file of %d bytes the layer is longer than allowed", entry.Size)
	}
	return w.budget.spend(w.object, entry.Path, 1, int64(len(entry.Path)+len(entry.Link)), entry.Size, 0)
}

// name cleans the name of an entry or of a hard link's target. Absolute names mean the image's root, as everywhere;
// names that climb out of it are an attack.
func (w *walker) name(raw string, place verdict.Place) (string, error) {
	if len(raw) > w.limits.PathBytes {
		return "", overLimit(w.object, place, "path_bytes", int64(w.limits.PathBytes), "the name is %d bytes long", len(raw))
	}
	if raw == "" || strings.ContainsRune(raw, 0) {
		return "", malformed(w.object, place, "the entry has no usable name")
	}
	clean := path.Clean(strings.TrimLeft(raw, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", malformed(w.object, place, "the name climbs out of the image's root")
	}
	if longestComponent(clean) > nameMax {
		return "", malformed(w.object, place, "a name of more than %d bytes exists on no Linux file system", nameMax)
	}
	return clean, nil
}

// nameMax is Linux's NAME_MAX.
const nameMax = 255

func longestComponent(name string) (longest int) {
	for component := range strings.SplitSeq(name, "/") {
		longest = max(longest, len(component))
	}
	return longest
}

// blame says whose fault an error of the tar reader is: the stream's own errors know it already.
func (w *walker) blame(file string, err error) error {
	place := verdict.Place{File: file}
	if known := (*verdict.Error)(nil); errors.As(err, &known) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	switch {
	case errors.Is(err, tar.ErrFieldTooLong):
		return overLimit(w.object, place, "of one tar header", mib, "a header is too long")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return malformed(w.object, place, "the layer's tar ends in the middle of an entry")
	default:
		return malformed(w.object, place, "the layer is not a valid tar: %v", err)
	}
}

// Whiteouts: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#whiteouts
const (
	whiteoutPrefix = ".wh."
	opaqueMarker   = ".wh..wh..opq"
	metaPrefix     = ".wh..wh." // AUFS kept its own files under such names; only the opaque marker means something
)

func isWhiteout(name string) bool { return strings.HasPrefix(path.Base(name), whiteoutPrefix) }
