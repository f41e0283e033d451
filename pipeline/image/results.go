package image

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
)

// Found is what an analyzer said of one file.
type Found struct {
	// Path is clean and relative to the root, without leading slash.
	Path   string
	Layer  int // index of the layer that holds the file
	Result json.RawMessage
	// Deleted says that a later layer hides the file: whoever has the image still has its bytes.
	Deleted bool
}

// Results iterates over what the analyzer said of the files that a container sees, in the order of layers and paths.
// A file that only a hard link still leads to is there under the link's path, once.
func (c *Contents) Results(key string) iter.Seq[Found] {
	return func(yield func(Found) bool) {
		for found := range c.EveryResult(key) {
			if !found.Deleted && !yield(found) {
				return
			}
		}
	}
}

// EveryResult is Results together with the files that later layers hide.
func (c *Contents) EveryResult(key string) iter.Seq[Found] {
	return func(yield func(Found) bool) {
		survivors := c.tree.survivors(func(layer *LayerRecord, file string) bool {
			_, ok := layer.Results[key][file]
			return ok
		})
		for i := range c.Layers {
			results := c.Layers[i].Results[key]
			for _, name := range slices.Sorted(maps.Keys(results)) {
				found := Found{Path: name, Layer: i, Result: results[name]}
				if at, ok := survivors[place{int32(i), name}]; ok {
					found.Path = at
				} else {
					found.Deleted = true
				}
				if !yield(found) {
					return
				}
			}
		}
	}
}

// place is an entry's own path in its layer.
type place struct {
	layer int32
	path  string
}

// survivors says, for each file that wanted names, under which path a container sees it; files that it does not see
// are left out.
func (t *tree) survivors(wanted func(layer *LayerRecord, file string) bool) map[place]string {
	survivors := map[place]string{}
	for id := range t.nodes {
		n := &t.nodes[id]
		if n.removed || n.entry == none || t.typeOf(int32(id)) != Regular {
			continue
		}
		layer := &t.layers[n.layer]
		own := layer.Entries.At(int(n.entry)).Path
		if !wanted(layer, own) {
			continue
		}
		// Of several hard links the one that bears the file's own path counts, else the first by name.
		at := place{n.layer, own}
		if before, ok := survivors[at]; !ok || before != own && (n.path == own || n.path < before) {
			survivors[at] = n.path
		}
	}
	return survivors
}
