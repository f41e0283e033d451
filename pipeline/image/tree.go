package image

import (
	"fmt"
	"path"
	"strings"
	"sync/atomic"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// tree is the merged file system of an image: what a container sees once all layers are laid over each other.
//
// A node is a path; it points to the entry that describes it. Paths are substrings of the layers' names, so that a
// million of them cost no copies.
type tree struct {
	layers []LayerRecord
	limits Limits
	nodes  []node
	index  map[string]int32 // by canonical path: clean, no symbolic link among its folders
	made   int64            // bytes of the paths that are no substrings
	effort atomic.Int64     // spent on following paths, see walkedOn
}

type node struct {
	path           string
	parent, child  int32 // child: the first one
	next, previous int32 // among siblings
	layer, entry   int32 // entry -1: a folder that no layer names; layer is then -1 too
	madeIn         int32 // the layer that put this path here, which for a hard link may not be layer
	removed        bool
}

const (
	none = int32(-1)
	root = int32(0)
	// mostLinks is how many symbolic links Linux follows in one path.
	mostLinks = 40
	// mostEffort bounds the time that an image of entangled links can take: about a minute. Honest images of a
	// million files stay below a tenth of it.
	mostEffort = 8 * gib
)

// merge lays the layers over each other, bottom first.
func merge(layers []LayerRecord, limits Limits) (*tree, error) {
	entries := 0
	for i := range layers {
		entries += layers[i].Entries.Len()
	}
	t := &tree{layers: layers, limits: limits, nodes: make([]node, 0, entries+1), index: make(map[string]int32, entries+1)}
	t.index["."] = root
	t.nodes = append(t.nodes, node{path: ".", parent: none, child: none, next: none, previous: none, layer: none, entry: none, madeIn: none})
	for i := range layers {
		// Whiteouts speak of the layers below only, wherever they stand in the tar.
		for _, entry := range layers[i].Entries.All() {
			if isWhiteout(entry.Path) {
				if err := t.whiteout(i, entry); err != nil {
					return nil, err
				}
			}
		}
		for j, entry := range layers[i].Entries.All() {
			if !isWhiteout(entry.Path) {
				if err := t.add(int32(i), int32(j), entry); err != nil {
					return nil, err
				}
			}
		}
	}
	return t, nil
}

func (t *tree) whiteout(layer int, entry Entry) error {
	dir, base := path.Split(entry.Path)
	name := strings.TrimPrefix(base, whiteoutPrefix)
	if name == "" || name == "." || name == ".." {
		return t.malformed(layer, entry.Path, "the whiteout names no file")
	}
	parent, ok := t.find(dir, true)
	if !ok {
		return nil // hides what is not there
	}
	switch {
	case base == opaqueMarker:
		for t.nodes[parent].child != none {
			t.remove(t.nodes[parent].child)
		}
	case strings.HasPrefix(base, metaPrefix):
	default:
		if id, ok := t.index[join(t.nodes[parent].path, name)]; ok {
			t.remove(id)
		}
	}
	return nil
}

func (t *tree) add(layer, index int32, entry Entry) error {
	if entry.Path == "." {
		if entry.Type == Directory {
			t.nodes[root].layer, t.nodes[root].entry, t.nodes[root].madeIn = layer, index, layer
		}
		return nil
	}
	dir, base := path.Split(entry.Path)
	parent, err := t.folder(layer, strings.TrimSuffix(dir, "/"), entry.Path)
	if err != nil {
		return err
	}
	name := entry.Path
	if where := t.nodes[parent].path; where != strings.TrimSuffix(dir, "/") && dir != "" {
		name = join(where, base)
		t.made += int64(len(name))
	}
	linkLayer, linkEntry := layer, index
	if entry.Type == Hardlink {
		target, ok := t.find(entry.Link, false)
		if !ok || t.typeOf(target) == Directory {
			return t.malformed(int(layer), entry.Path, "the hard link leads to %s, which is no file at this point of the layer", clip("/"+entry.Link))
		}
		if t.nodes[target].path == name {
			return nil
		}
		linkLayer, linkEntry = t.nodes[target].layer, t.nodes[target].entry
	}
	if id, ok := t.index[name]; ok {
		if entry.Type == Directory && t.typeOf(id) == Directory {
			t.nodes[id].layer, t.nodes[id].entry, t.nodes[id].madeIn = layer, index, layer
			return nil
		}
		t.remove(id)
	}
	t.insert(parent, name, linkLayer, linkEntry, layer)
	return nil
}

// folder returns the folder that an entry of the layer is put into, following symbolic links among its parents as
// unpackers do that apply layers onto the merged file system, and making the folders that are missing.
func (t *tree) folder(layer int32, dir, entry string) (int32, error) {
	if dir == "" {
		return root, nil
	}
	if id, ok := t.index[dir]; ok && t.typeOf(id) == Directory {
		return id, nil
	}
	w := newWalk(dir)
	for {
		name, state := w.next(t)
		switch state {
		case walkEnded:
			return w.at, t.affordable(int(layer), entry)
		case walkLooped:
			return 0, t.malformed(int(layer), entry, "its folder is a loop of symbolic links")
		case walkMissing:
			if err := t.affordable(int(layer), entry); err != nil {
				return 0, err
			}
			if !w.direct {
				t.made += int64(len(name))
			}
			w.at = t.insert(w.at, name, none, none, layer)
		case walkFound:
			id := w.found
			if t.typeOf(id) == Symlink {
				w.follow(t.entry(id).Link)
				continue
			}
			if t.typeOf(id) != Directory {
				if t.nodes[id].madeIn == layer {
					return 0, t.malformed(int(layer), entry, "its folder %s is a file", clip("/"+name))
				}
				t.remove(id)
				id = t.insert(w.at, name, none, none, layer)
			}
			w.at = id
		}
	}
}

// affordable checks what the merged file system takes in memory and time.
func (t *tree) affordable(layer int, entry string) error {
	over := func(limit string, most int64, what string) error {
		return overLimit(layerName(layer, len(t.layers), t.layers[layer].DiffID), t.place(layer, entry), limit, most, "%s", what)
	}
	switch {
	case int64(len(t.nodes)) > 2*t.limits.ImageEntries:
		return over("image_entries", t.limits.ImageEntries, "the image has too many folders that no layer names")
	case t.made > t.limits.NameBytes:
		return over("name_bytes", t.limits.NameBytes, "the names behind the image's symbolic links are too long together")
	case t.effort.Load() > mostEffort:
		return over("of time for symbolic links", mostEffort, "the image's symbolic links are too entangled to follow")
	default:
		return nil
	}
}

func (t *tree) insert(parent int32, name string, layer, entry, madeIn int32) int32 {
	id := int32(len(t.nodes))
	first := t.nodes[parent].child
	t.nodes = append(t.nodes, node{
		path: name, parent: parent, child: none, next: first, previous: none, layer: layer, entry: entry, madeIn: madeIn,
	})
	if first != none {
		t.nodes[first].previous = id
	}
	t.nodes[parent].child = id
	t.index[name] = id
	return id
}

// remove takes a node and everything below it away.
func (t *tree) remove(id int32) {
	n := &t.nodes[id]
	if n.previous != none {
		t.nodes[n.previous].next = n.next
	} else {
		t.nodes[n.parent].child = n.next
	}
	if n.next != none {
		t.nodes[n.next].previous = n.previous
	}
	pending := []int32{id}
	for len(pending) > 0 {
		last := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		for child := t.nodes[last].child; child != none; child = t.nodes[child].next {
			pending = append(pending, child)
		}
		t.nodes[last].removed, t.nodes[last].child = true, none
		delete(t.index, t.nodes[last].path)
	}
}

// entry returns what describes the node; a folder that no layer names is root's, 0755.
func (t *tree) entry(id int32) Entry {
	n := &t.nodes[id]
	if n.entry == none {
		return Entry{Path: n.path, Type: Directory, Mode: 0o755}
	}
	return t.layers[n.layer].Entries.At(int(n.entry))
}

func (t *tree) typeOf(id int32) Type {
	n := &t.nodes[id]
	if n.entry == none {
		return Directory
	}
	return t.layers[n.layer].Entries.fixed[n.entry].kind
}

func (t *tree) malformed(layer int, file, format string, args ...any) error {
	return malformed(layerName(layer, len(t.layers), t.layers[layer].DiffID), t.place(layer, file), format, args...)
}

func (t *tree) place(layer int, file string) verdict.Place {
	record := &t.layers[layer]
	return verdict.Place{File: "/" + file, Layer: record.DiffID, CreatedBy: maskedOnly(record.CreatedBy)}
}

// layerName is how people read a layer: "layer 3/7 sha256:0123456789ab".
func layerName(index, of int, diffID string) string {
	return fmt.Sprintf("layer %d/%d sha256:%s", index+1, of, subject.Short(diffID))
}

func join(dir, name string) string {
	if dir == "." || dir == "" {
		return name
	}
	return dir + "/" + name
}
