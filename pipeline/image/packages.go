package image

import (
	"cmp"
	"maps"
	"slices"
)

// Packages are those that the image's dpkg and apk databases list, as a container sees them, by name.
func (c *Contents) Packages() []Package {
	packages := []Package{}
	for i := range c.Layers {
		for _, file := range slices.Sorted(maps.Keys(c.Layers[i].Packages)) {
			id, ok := c.tree.find(file, true)
			if ok && int(c.tree.nodes[id].layer) == i && c.tree.entry(id).Path == file {
				packages = append(packages, c.attribute(file, i)...)
			}
		}
	}
	slices.SortStableFunc(packages, func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Database, b.Database))
	})
	return packages
}

// attribute finds the layer that brought each package which the database has in layer top: package managers write the
// whole database anew, so it is the lowest layer from which on every version of the database lists the package.
func (c *Contents) attribute(file string, top int) []Package {
	type identity struct{ name, arch, version string }
	listed := c.Layers[top].Packages[file]
	since := make(map[identity]int, len(listed))
	for _, p := range listed {
		since[identity{p.Name, p.Arch, p.Version}] = top
	}
	lowest := top // the layer that the packages still in since were last seen in
	for i := top - 1; i >= 0; i-- {
		below, ok := c.Layers[i].Packages[file]
		if !ok {
			continue
		}
		for _, p := range below {
			id := identity{p.Name, p.Arch, p.Version}
			if at, ok := since[id]; ok && at == lowest {
				since[id] = i
			}
		}
		lowest = i
	}
	packages := slices.Clone(listed)
	for i, p := range packages {
		packages[i].Layer = since[identity{p.Name, p.Arch, p.Version}]
	}
	return packages
}
