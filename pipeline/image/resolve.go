package image

import "strings"

// walk follows a path through the merged file system, component by component, inside the image's root, as chroot does.
type walk struct {
	text   string // what is being walked: the path, or since a link a link's target and the rest
	pos    int    // of the next component in text
	at     int32  // the folder reached
	direct bool   // text[:pos] is the path of at: names need not be put together
	found  int32
	links  int
}

type walkState int

const (
	walkEnded   walkState = iota // no component is left; at is the end
	walkFound                    // found stands in folder at
	walkMissing                  // nothing of that name stands in folder at
	walkLooped                   // more links than Linux follows
)

func newWalk(name string) walk { return walk{text: name, at: root, direct: true} }

// next takes one component, of canonical path name. Whoever calls sets at, or follows the link that was found.
func (w *walk) next(t *tree) (name string, state walkState) {
	for w.pos < len(w.text) {
		if w.links > mostLinks {
			return "", walkLooped
		}
		end := strings.IndexByte(w.text[w.pos:], '/')
		if end < 0 {
			end = len(w.text)
		} else {
			end += w.pos
		}
		component := w.text[w.pos:end]
		start := w.pos
		w.pos = min(end+1, len(w.text))
		switch component {
		case "", ".":
			w.direct = false
			continue
		case "..":
			w.at, w.direct = max(t.nodes[w.at].parent, root), false
			continue
		}
		if w.direct {
			name = w.text[:end]
		} else {
			name = join(t.nodes[w.at].path, w.text[start:end])
		}
		t.effort.Add(int64(len(name)) + 32)
		id, ok := t.index[name]
		if !ok {
			return name, walkMissing
		}
		w.found = id
		return name, walkFound
	}
	return "", walkEnded
}

// follow goes on with a symbolic link's target, from its folder.
func (w *walk) follow(link string) {
	w.links++
	if strings.HasPrefix(link, "/") {
		w.at = root
	}
	if w.more() {
		link += "/" + w.text[w.pos:]
	}
	w.text, w.pos, w.direct = link, 0, false
}

// more says whether components are left.
func (w *walk) more() bool { return w.pos < len(w.text) }

// find returns the node that name leads to. Symbolic links are followed inside the image's root, as chroot does: among
// the folders always, at the end if last says so. ok is false where nothing is there, or only a loop.
func (t *tree) find(name string, last bool) (id int32, ok bool) {
	name = strings.Trim(name, "/")
	if id, ok := t.index[name]; ok && (!last || t.typeOf(id) != Symlink) {
		return id, true // a path in the index has no symbolic link among its folders
	}
	w := newWalk(name)
	for t.effort.Load() <= mostEffort {
		switch _, state := w.next(t); {
		case state == walkEnded:
			return w.at, true
		case state != walkFound:
			return 0, false
		case t.typeOf(w.found) == Symlink && (last || w.more()):
			w.follow(t.entry(w.found).Link)
		case w.more() && t.typeOf(w.found) != Directory:
			return 0, false
		default:
			w.at = w.found
		}
	}
	return 0, false
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
