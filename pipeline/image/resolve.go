package image

import "strings"

// find returns the node that name leads to. Symbolic links are followed inside the image's root, as chroot does: among
// the folders always, at the end if last says so. ok is false where nothing is there, or only a loop.
func (t *tree) find(name string, last bool) (id int32, ok bool) {
	name = strings.Trim(name, "/")
	if id, ok := t.index[name]; ok && (!last || t.typeOf(id) != Symlink) {
		return id, true // a path in the index has no symbolic link among its folders
	}
	at, links, rest := root, 0, name
	for rest != "" {
		var component string
		component, rest, _ = strings.Cut(rest, "/")
		if component == "" || component == "." {
			continue
		}
		if t.typeOf(at) != Directory {
			return 0, false
		}
		if component == ".." {
			at = max(t.nodes[at].parent, root)
			continue
		}
		id, ok := t.index[join(t.nodes[at].path, component)]
		if !ok {
			return 0, false
		}
		if t.typeOf(id) != Symlink || (rest == "" && !last) {
			at = id
			continue
		}
		if links++; links > mostLinks {
			return 0, false
		}
		link := t.entry(id).Link
		if strings.HasPrefix(link, "/") {
			at = root
		}
		if rest == "" {
			rest = link
		} else {
			rest = link + "/" + rest
		}
	}
	return at, true
}

// body returns the text that was kept of the file that name leads to.
func (t *tree) body(name string) (string, bool) {
	id, ok := t.find(name, true)
	if !ok {
		return "", false
	}
	return t.bodyOf(id)
}

func (t *tree) bodyOf(id int32) (string, bool) {
	n := &t.nodes[id]
	if n.entry == none {
		return "", false
	}
	entry := t.entry(id)
	body, ok := t.layers[n.layer].Bodies[entry.Path]
	return string(body), ok && entry.Type == Regular
}

// absolute is the node's path as facts write it.
func (t *tree) absolute(id int32) string {
	if id == root {
		return "/"
	}
	return "/" + t.nodes[id].path
}
