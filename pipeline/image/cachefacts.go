package image

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// cachePlaces are where package managers leave what an image does not need. The first group of each pattern is the
// folder; locks and empty folders cost nothing and are passed over by their size.
var cachePlaces = []struct {
	manager string
	hint    string // a cheap test before the pattern
	pattern *regexp.Regexp
}{
	{"apt", "var/lib/apt/lists/", regexp.MustCompile(`^(var/lib/apt/lists)/`)},
	{"apt", "var/cache/apt/archives/", regexp.MustCompile(`^(var/cache/apt/archives)/`)},
	{"apt", "var/cache/apt/", regexp.MustCompile(`^(var/cache/apt)/[^/]+\.bin$`)},
	{"apk", "cache/apk/", regexp.MustCompile(`^(var/cache/apk)/`)},
	{"apk", "etc/apk/cache/", regexp.MustCompile(`^(etc/apk/cache)/`)},
	{"yum", "var/cache/yum/", regexp.MustCompile(`^(var/cache/yum)/`)},
	{"yum", "var/cache/", regexp.MustCompile(`^(var/cache/(?:lib)?dnf5?)/`)},
	{"pip", ".cache/pip/", regexp.MustCompile(`^((?:.*/)?\.cache/pip)/`)},
	{"conda", "/pkgs/", regexp.MustCompile(`^((?:.*/)?[^/]*(?:conda|mamba|miniforge)[^/]*/pkgs)/`)},
	{"npm", ".npm/", regexp.MustCompile(`^((?:.*/)?\.npm)/`)},
	{"maven", ".m2/repository/", regexp.MustCompile(`^((?:.*/)?\.m2/repository)/`)},
	{"ivy", ".ivy2/", regexp.MustCompile(`^((?:.*/)?\.ivy2/(?:cache|jars))/`)},
}

func cachePlace(file string) (manager, folder string, ok bool) {
	for i := range cachePlaces {
		place := &cachePlaces[i]
		if !strings.Contains(file, place.hint) {
			continue
		}
		if found := place.pattern.FindStringSubmatch(file); found != nil {
			return place.manager, found[1], true
		}
	}
	return "", "", false
}

// cacheFacts sums up, layer by layer, what package managers left: a file that a later layer deletes costs as much.
func (c *Contents) cacheFacts() []CacheFact {
	type key struct {
		layer           int
		manager, folder string
	}
	sums := map[key]*CacheFact{}
	for i := range c.Layers {
		for j, entry := range c.Layers[i].Entries.All() {
			if entry.Type != Regular || entry.Size == 0 || isWhiteout(entry.Path) {
				continue
			}
			manager, folder, ok := cachePlace(entry.Path)
			if !ok {
				continue
			}
			at := key{i, manager, folder}
			if sums[at] == nil {
				sums[at] = &CacheFact{Manager: manager, Path: "/" + folder, Layer: i, Deleted: true}
			}
			sums[at].Bytes += entry.Size
			sums[at].Files++
			if c.tree.shows(i, j, entry.Path) {
				sums[at].Deleted = false
			}
		}
	}
	facts := []CacheFact{}
	for _, sum := range sums {
		facts = append(facts, *sum)
	}
	slices.SortFunc(facts, func(a, b CacheFact) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Manager, b.Manager))
	})
	return facts
}

// shows says whether a container sees that entry of the layer under its own path.
func (t *tree) shows(layer, entry int, file string) bool {
	id, ok := t.find(file, false)
	return ok && t.nodes[id].layer == int32(layer) && t.nodes[id].entry == int32(entry)
}
