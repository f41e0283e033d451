package image

import (
	"iter"
	"math"
)

// Type is the kind of a file-system entry.
type Type uint8

// The kinds of entries that a layer can hold.
const (
	Regular Type = iota + 1
	Directory
	Symlink
	Hardlink // only in Entries: the merged image shows what the link leads to
	CharDevice
	BlockDevice
	FIFO
)

var typeNames = [...]string{"", "file", "dir", "symlink", "hardlink", "char-device", "block-device", "fifo"}

// String is the word that facts use: file, dir, symlink, hardlink, char-device, block-device, fifo.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return ""
}

// Permission bits of Entry.Mode beyond the nine of rwxrwxrwx, as chmod(2) numbers them.
const (
	ModeSticky = 0o1000
	ModeSetgid = 0o2000
	ModeSetuid = 0o4000
)

// Entry is one tar header.
type Entry struct {
	// Path is clean, relative to the image's root, without leading slash; "." is the root itself.
	Path string
	// Link is a symbolic link's target as written, or the clean path that a hard link leads to.
	Link string
	Type Type
	Mode uint32 // permission bits, at most 0o7777
	UID  uint32
	GID  uint32
	// Size is a regular file's logical length in bytes, else 0.
	Size int64
	// Capable says that the file carries Linux capabilities (the security.capability attribute).
	Capable bool
}

// Entries holds many Entry values in few bytes: 32 bytes each and their names, without pointers for the garbage
// collector to follow.
type Entries struct {
	fixed []fixedEntry
	names string // each entry's path, directly followed by its link
}

type fixedEntry struct {
	size     int64
	name     uint32 // offset into names
	uid, gid uint32
	path     uint16 // length
	link     uint16 // length
	mode     uint16
	kind     Type
	flags    uint8
}

const flagCapable = 1

// Len is the number of entries.
func (e *Entries) Len() int { return len(e.fixed) }

// At returns entry i, in the tar's order. Its strings share the memory of e.
func (e *Entries) At(i int) Entry {
	f := &e.fixed[i]
	link := int(f.name) + int(f.path)
	return Entry{
		Path: e.names[f.name:link], Link: e.names[link : link+int(f.link)],
		Type: f.kind, Mode: uint32(f.mode), UID: f.uid, GID: f.gid, Size: f.size,
		Capable: f.flags&flagCapable != 0,
	}
}

// All iterates over the entries in the tar's order.
func (e *Entries) All() iter.Seq2[int, Entry] {
	return func(yield func(int, Entry) bool) {
		for i := range e.fixed {
			if !yield(i, e.At(i)) {
				return
			}
		}
	}
}

// entriesBuilder collects entries. Names are bounded by Limits before they come here: a path or link is at most
// math.MaxUint16 bytes long, all of them together at most math.MaxUint32.
type entriesBuilder struct {
	fixed []fixedEntry
	names []byte
}

const (
	longestName = math.MaxUint16
	mostNames   = math.MaxUint32
)

func (b *entriesBuilder) add(entry Entry) {
	f := fixedEntry{
		size: entry.Size, name: uint32(len(b.names)), uid: entry.UID, gid: entry.GID,
		path: uint16(len(entry.Path)), link: uint16(len(entry.Link)), mode: uint16(entry.Mode), kind: entry.Type,
	}
	if entry.Capable {
		f.flags |= flagCapable
	}
	b.names = append(append(b.names, entry.Path...), entry.Link...)
	b.fixed = append(b.fixed, f)
}

func (b *entriesBuilder) entries() Entries { return Entries{fixed: b.fixed, names: string(b.names)} }
