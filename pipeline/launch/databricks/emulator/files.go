package emulator

import (
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// files are what was uploaded to the workspace, DBFS and volumes, by the destinations that init scripts name. It stays in
// memory, and is small.
type files struct {
	byPath  map[string]file
	folders map[string]bool
	total   int
	open    map[int64]*upload // of dbfs/create
	handles int64
	serial  int64
}

type file struct {
	body     []byte
	created  time.Time
	at       time.Time
	serial   int64  // the later it was written, the larger
	language string // of a notebook; empty: it is a file
}

// entry is something in a folder.
type entry struct {
	name   string // the whole path, as canonical writes it
	folder bool
	file   file
}

// Bounds of what is kept.
const (
	mostFile  = 16 << 20
	mostFiles = 256 << 20
)

// newFiles has the folders that a workspace begins with.
func newFiles(user string) *files {
	f := &files{byPath: map[string]file{}, folders: map[string]bool{}, open: map[int64]*upload{}}
	for _, name := range []string{"/Shared", "/Users/" + user, "/Repos", "dbfs:/"} {
		f.makeFolders(canonical(name))
	}
	return f
}

// since are the files that were written after a serial number, by the paths at which programs on a cluster find them.
func (f *files) since(serial int64) map[string][]byte {
	found := map[string][]byte{}
	for name, one := range f.byPath {
		if rest, isDBFS := strings.CutPrefix(name, "dbfs:"); isDBFS {
			name = "/dbfs" + rest
		}
		if one.serial > serial && !strings.Contains(name, "://") {
			found[name] = one.body
		}
	}
	return found
}

// canonical is one spelling for a path: the workspace's begin with /Workspace, those of DBFS with dbfs:.
func canonical(name string) string {
	switch {
	case strings.HasPrefix(name, "dbfs:"):
		return "dbfs:" + path.Clean("/"+strings.TrimPrefix(name, "dbfs:"))
	case strings.Contains(name, "://"):
		return name
	case name == "/Volumes" || strings.HasPrefix(name, "/Volumes/"):
		return path.Clean(name)
	}
	name = path.Clean("/" + name)
	if name == "/Workspace" || strings.HasPrefix(name, "/Workspace/") {
		return name
	}
	return strings.TrimSuffix("/Workspace"+name, "/")
}

// within is a path with the slash that separates it from what lies in it.
func within(name string) string { return strings.TrimSuffix(canonical(name), "/") + "/" }

// parent is the folder that a path lies in; empty: it is the highest.
func parent(name string) string {
	name = canonical(name)
	if name == "/Workspace" || name == "dbfs:/" || name == "/Volumes" || strings.Contains(name, "://") {
		return ""
	}
	return canonical(path.Dir(name))
}

// makeFolders makes the folder and those that it lies in.
func (f *files) makeFolders(name string) {
	for ; name != ""; name = parent(name) {
		f.folders[name] = true
	}
}

func (f *files) read(name string) ([]byte, bool) {
	found, there := f.byPath[canonical(name)]
	return found.body, there
}

// write keeps a file, and makes the folders that it lies in.
func (f *files) write(name string, body []byte, overwrite bool) error {
	return f.put(name, file{body: body}, overwrite)
}

func (f *files) put(name string, one file, overwrite bool) error {
	name = canonical(name)
	before, there := f.byPath[name]
	switch {
	case there && !overwrite:
		return refuse(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "Path (%s) already exists.", shown(name))
	case f.isFolder(name):
		return refuse(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "Path (%s) is a directory.", shown(name))
	case len(one.body) > mostFile:
		return refuse(http.StatusBadRequest, "MAX_NOTEBOOK_SIZE_EXCEEDED", "%s is larger than %d bytes", shown(name), mostFile)
	case f.total-len(before.body)+len(one.body) > mostFiles:
		return refuse(http.StatusBadRequest, "QUOTA_EXCEEDED", "the emulator keeps at most %d bytes of files", mostFiles)
	}
	for above := parent(name); above != ""; above = parent(above) {
		if _, isFile := f.byPath[above]; isFile {
			return invalid("%s is a file, so nothing can lie in it.", shown(above))
		}
	}
	f.total += len(one.body) - len(before.body)
	f.serial++
	one.created, one.at, one.serial = before.created, time.Now(), f.serial
	if !there {
		one.created = one.at
	}
	f.byPath[name] = one
	f.makeFolders(parent(name))
	return nil
}

// remove takes a file away, or a folder with all that lies in it; it says whether there was something.
func (f *files) remove(name string) bool {
	name = canonical(name)
	found := f.isFolder(name)
	maps.DeleteFunc(f.folders, func(there string, _ bool) bool { return there == name || strings.HasPrefix(there, within(name)) })
	for there, one := range f.byPath {
		if there == name || strings.HasPrefix(there, within(name)) {
			f.total -= len(one.body)
			delete(f.byPath, there)
			found = true
		}
	}
	return found
}

// move renames a file, or a folder with all that lies in it.
func (f *files) move(from, to string) error {
	from, to = canonical(from), canonical(to)
	_, isFile := f.byPath[to]
	switch {
	case isFile || f.isFolder(to):
		return refuse(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "A file or directory already exists at the destination path %s.", shown(to))
	case strings.HasPrefix(to, within(from)):
		return invalid("%s lies in %s, which is to be moved.", shown(to), shown(from))
	}
	for _, name := range append(slices.Collect(maps.Keys(f.byPath)), slices.Collect(maps.Keys(f.folders))...) {
		if name != from && !strings.HasPrefix(name, within(from)) {
			continue
		}
		moved := to + strings.TrimPrefix(name, from)
		if one, there := f.byPath[name]; there {
			f.serial++
			one.serial = f.serial
			f.byPath[moved] = one
			delete(f.byPath, name)
		}
		if f.folders[name] {
			f.folders[moved] = true
			delete(f.folders, name)
		}
	}
	f.makeFolders(parent(to))
	return nil
}

// isFolder says whether a folder is there.
func (f *files) isFolder(name string) bool { return f.folders[canonical(name)] }

// in is what lies in a folder, in order; a file is all that lies in itself.
func (f *files) in(name string) (found []entry) {
	if one, there := f.byPath[canonical(name)]; there {
		return []entry{{name: canonical(name), file: one}}
	}
	for there, one := range f.byPath {
		if parent(there) == canonical(name) {
			found = append(found, entry{name: there, file: one})
		}
	}
	for there := range f.folders {
		if parent(there) == canonical(name) {
			found = append(found, entry{name: there, folder: true})
		}
	}
	slices.SortFunc(found, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return found
}

// shown is a path as the APIs write it: without what canonical puts before it.
func shown(name string) string {
	name = strings.TrimPrefix(name, "dbfs:")
	if rest, ours := strings.CutPrefix(name, "/Workspace/"); ours {
		return "/" + rest
	}
	return name
}

// deletePath takes a file away, or a folder that is empty or may go with what lies in it.
func (s *Server) deletePath(name string, recursive bool) (any, error) {
	if s.files.isFolder(name) && len(s.files.in(name)) > 0 && !recursive {
		return nil, refuse(http.StatusBadRequest, "DIRECTORY_NOT_EMPTY", "Folder (%s) is not empty", shown(canonical(name)))
	}
	if parent(name) == "" {
		return nil, invalid("%s cannot be deleted.", shown(canonical(name)))
	}
	if !s.files.remove(name) {
		return nil, missing("Path (%s) doesn't exist.", shown(canonical(name)))
	}
	return nil, nil
}
