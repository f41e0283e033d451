package image

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

// formatVersion is the version of what a record holds and how it is written. It rises with every change of either,
// keeperOf and the parsers included, so that older records are read again from their layers.
const formatVersion = 2

// cache keeps what layers hold, one file per layer: the record as gob, zstd's checksum over it.
type cache struct {
	dir string
	key string // what the records depend on besides the layer
}

func newCache(dir string, analyzers []Analyzer, limits Limits) cache {
	keys := make([]string, 0, len(analyzers))
	for _, analyzer := range analyzers {
		keys = append(keys, analyzer.Key())
	}
	slices.Sort(keys)
	return cache{dir, fmt.Sprintf("format %d\nlimits %s\n%s", formatVersion, limits.key(), strings.Join(keys, "\n"))}
}

// stored is a record as it is written.
type stored struct {
	Key                 string // against files that were moved, and against collisions of shortened names
	Fixed               []byte
	Names               string
	Uncompressed, Bytes int64
	Results             map[string]map[string]json.RawMessage
	Bodies              map[string][]byte
	Packages            map[string][]Package
}

func (c cache) path(diffID string) string {
	sum := sha256.Sum256([]byte(c.key))
	return filepath.Join(c.dir, strings.ReplaceAll(diffID, ":", "-")+"-"+hex.EncodeToString(sum[:8])+".layer")
}

// load returns the layer's record; a missing, foreign or damaged file is a miss.
func (c cache) load(diffID string) (*Layer, bool) {
	if c.dir == "" {
		return nil, false
	}
	file, err := os.Open(c.path(diffID))
	if err != nil {
		return nil, false
	}
	defer file.Close()
	plain, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, false
	}
	defer plain.Close()
	var record stored
	if err := gob.NewDecoder(plain).Decode(&record); err != nil || record.Key != diffID+"\n"+c.key {
		return nil, false
	}
	if n, err := plain.Read(make([]byte, 1)); n != 0 || err != io.EOF { // the checksum stands at the end
		return nil, false
	}
	entries, ok := unpackEntries(record.Fixed, record.Names)
	if !ok {
		return nil, false
	}
	return &Layer{
		Entries: entries, Uncompressed: record.Uncompressed, Bytes: record.Bytes,
		Results: record.Results, Bodies: record.Bodies, Packages: record.Packages,
	}, true
}

// save writes the record so that another process sees all of it or nothing.
func (c cache) save(diffID string, layer *Layer) error {
	if c.dir == "" {
		return nil
	}
	record := stored{
		Key: diffID + "\n" + c.key, Fixed: packEntries(layer.Entries), Names: layer.Entries.names,
		Uncompressed: layer.Uncompressed, Bytes: layer.Bytes,
		Results: layer.Results, Bodies: layer.Bodies, Packages: layer.Packages,
	}
	return lock.WriteBy(c.path(diffID), 0o600, func(file io.Writer) error {
		packed, err := zstd.NewWriter(file, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		return errors.Join(gob.NewEncoder(packed).Encode(record), packed.Close())
	})
}

// fixedSize is the length of one fixedEntry as packEntries writes it.
const fixedSize = 28

func packEntries(entries Entries) []byte {
	out := make([]byte, 0, len(entries.fixed)*fixedSize)
	for i := range entries.fixed {
		f := &entries.fixed[i]
		out = binary.LittleEndian.AppendUint64(out, uint64(f.size))
		out = binary.LittleEndian.AppendUint32(out, f.name)
		out = binary.LittleEndian.AppendUint32(out, f.uid)
		out = binary.LittleEndian.AppendUint32(out, f.gid)
		out = binary.LittleEndian.AppendUint16(out, f.path)
		out = binary.LittleEndian.AppendUint16(out, f.link)
		out = binary.LittleEndian.AppendUint16(out, f.mode)
		out = append(out, byte(f.kind), f.flags)
	}
	return out
}

// unpackEntries undoes packEntries, and refuses entries that would point outside of names.
func unpackEntries(packed []byte, names string) (Entries, bool) {
	if len(packed)%fixedSize != 0 {
		return Entries{}, false
	}
	fixed := make([]fixedEntry, len(packed)/fixedSize)
	for i := range fixed {
		p := packed[i*fixedSize:]
		f := fixedEntry{
			size: int64(binary.LittleEndian.Uint64(p)), name: binary.LittleEndian.Uint32(p[8:]),
			uid: binary.LittleEndian.Uint32(p[12:]), gid: binary.LittleEndian.Uint32(p[16:]),
			path: binary.LittleEndian.Uint16(p[20:]), link: binary.LittleEndian.Uint16(p[22:]),
			mode: binary.LittleEndian.Uint16(p[24:]), kind: Type(p[26]), flags: p[27],
		}
		if uint64(f.name)+uint64(f.path)+uint64(f.link) > uint64(len(names)) || f.size < 0 || f.kind < Regular || f.kind > FIFO || f.path == 0 {
			return Entries{}, false
		}
		fixed[i] = f
	}
	return Entries{fixed, names}, true
}
