package emulator

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strconv"
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
	body   []byte
	at     time.Time
	serial int64 // the later it was written, the larger
}

type upload struct {
	path      string
	body      []byte
	overwrite bool
}

// Bounds of what is kept.
const (
	mostFile  = 16 << 20
	mostFiles = 256 << 20
	mostBlock = 1 << 20 // of dbfs/put and dbfs/add-block, the platform's
)

func newFiles() *files {
	return &files{byPath: map[string]file{}, folders: map[string]bool{}, open: map[int64]*upload{}}
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
	case strings.HasPrefix(name, "/Volumes/"):
		return path.Clean(name)
	default:
		return "/Workspace" + strings.TrimPrefix(path.Clean("/"+name), "/Workspace")
	}
}

func (f *files) read(name string) ([]byte, bool) {
	found, there := f.byPath[canonical(name)]
	return found.body, there
}

func (f *files) write(name string, body []byte, overwrite bool) error {
	name = canonical(name)
	before, there := f.byPath[name]
	switch {
	case there && !overwrite:
		return refuse(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "Path (%s) already exists.", name)
	case len(body) > mostFile:
		return refuse(http.StatusBadRequest, "MAX_NOTEBOOK_SIZE_EXCEEDED", "%s is larger than %d bytes", name, mostFile)
	case f.total-len(before.body)+len(body) > mostFiles:
		return refuse(http.StatusBadRequest, "QUOTA_EXCEEDED", "the emulator keeps at most %d bytes of files", mostFiles)
	}
	f.total += len(body) - len(before.body)
	f.serial++
	f.byPath[name] = file{body, time.Now(), f.serial}
	return nil
}

// remove takes a file away, or a folder's files; it says whether there were some.
func (f *files) remove(name string) bool {
	name = canonical(name)
	found := f.folders[name]
	delete(f.folders, name)
	for there, one := range f.byPath {
		if there == name || strings.HasPrefix(there, name+"/") {
			f.total -= len(one.body)
			delete(f.byPath, there)
			found = true
		}
	}
	return found
}

// isFolder says whether something lies below the path, or a folder was made there.
func (f *files) isFolder(name string) bool {
	name = canonical(name)
	if f.folders[name] {
		return true
	}
	for there := range f.byPath {
		if strings.HasPrefix(there, name+"/") {
			return true
		}
	}
	return false
}

// below are the files in a folder, deeper ones included.
func (f *files) below(name string) (found []string) {
	for _, there := range slices.Sorted(maps.Keys(f.byPath)) {
		if there == canonical(name) || strings.HasPrefix(there, canonical(name)+"/") {
			found = append(found, there)
		}
	}
	return found
}

// pathCall is the body of most calls about files.
type pathCall struct {
	Path      string `json:"path"`
	Content   string `json:"content,omitempty"`  // workspace/import, base64
	Contents  string `json:"contents,omitempty"` // dbfs/put, base64
	Data      string `json:"data,omitempty"`     // dbfs/add-block, base64
	Format    string `json:"format,omitempty"`
	Language  string `json:"language,omitempty"`
	Overwrite bool   `json:"overwrite,omitempty"`
	Recursive bool   `json:"recursive,omitempty"`
	Handle    int64  `json:"handle,omitempty"`
}

// fileCall answers a call about a path, given in the query, as JSON, or as a form with the file in a part of its own.
func (s *Server) fileCall(work func(asked pathCall, body []byte) (any, error)) handler {
	return func(r *request) (any, error) {
		var asked pathCall
		var body []byte
		var err error
		switch {
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			asked.Path = r.URL.Query().Get("path")
			asked.Format = r.URL.Query().Get("format")
		case strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data"):
			asked, body, err = formOf(r)
		default:
			err = decode(r.body, &asked)
			for _, text := range []string{asked.Content, asked.Contents, asked.Data} {
				if text != "" && err == nil {
					if body, err = base64.StdEncoding.DecodeString(text); err != nil {
						err = malformed("the contents are not base64")
					}
				}
			}
		}
		if err != nil {
			return nil, err
		}
		if asked.Path == "" && asked.Handle == 0 {
			return nil, invalid("Missing required field: path")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return work(asked, body)
	}
}

func formOf(r *request) (asked pathCall, body []byte, err error) {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return asked, nil, malformed("the form cannot be read: %v", err)
	}
	defer r.MultipartForm.RemoveAll()
	value := func(key string) string { return strings.Join(r.MultipartForm.Value[key], "") }
	asked.Path, asked.Format, asked.Language = value("path"), value("format"), value("language")
	asked.Overwrite, _ = strconv.ParseBool(value("overwrite"))
	body = []byte(value("content"))
	for _, key := range []string{"content", "contents"} {
		for _, part := range r.MultipartForm.File[key] {
			if body, err = readPart(part); err != nil {
				return asked, nil, malformed("the file in the form cannot be read: %v", err)
			}
		}
	}
	return asked, body, nil
}

func readPart(part *multipart.FileHeader) ([]byte, error) {
	opened, err := part.Open()
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return io.ReadAll(opened)
}

func (s *Server) importFile(asked pathCall, body []byte) (any, error) {
	if !strings.HasPrefix(asked.Path, "/") {
		return nil, invalid("Path (%s) must start with '/'", asked.Path)
	}
	return nil, s.files.write(asked.Path, body, asked.Overwrite)
}

func (s *Server) workspaceStatus(asked pathCall, _ []byte) (any, error) {
	if body, there := s.files.read(asked.Path); there {
		return map[string]any{"path": asked.Path, "object_type": "FILE", "object_id": objectID(asked.Path), "resource_id": fmt.Sprint(objectID(asked.Path)), "size": len(body), "modified_at": millis(s.files.byPath[canonical(asked.Path)].at)}, nil
	}
	if s.files.isFolder(asked.Path) || asked.Path == "/" {
		return map[string]any{"path": asked.Path, "object_type": "DIRECTORY", "object_id": objectID(asked.Path)}, nil
	}
	return nil, missing("Path (%s) doesn't exist.", asked.Path)
}

// objectID is a number that stays the same for a path.
func objectID(name string) (id int64) {
	for _, r := range canonical(name) {
		id = (id*31 + int64(r)) % 1_000_000_007
	}
	return id + 1
}

func (s *Server) exportFile(asked pathCall, _ []byte) (any, error) {
	body, there := s.files.read(asked.Path)
	if !there {
		return nil, missing("Path (%s) doesn't exist.", asked.Path)
	}
	return map[string]string{"content": base64.StdEncoding.EncodeToString(body), "file_type": strings.TrimPrefix(path.Ext(asked.Path), ".")}, nil
}

func (s *Server) listWorkspace(asked pathCall, _ []byte) (any, error) {
	all := []map[string]any{}
	for _, name := range s.files.below(asked.Path) {
		all = append(all, map[string]any{"path": strings.TrimPrefix(name, "/Workspace"), "object_type": "FILE", "object_id": objectID(name), "size": len(s.files.byPath[name].body)})
	}
	if len(all) == 0 && !s.files.isFolder(asked.Path) {
		return nil, missing("Path (%s) doesn't exist.", asked.Path)
	}
	return map[string]any{"objects": all}, nil
}

func (s *Server) makeFolder(asked pathCall, _ []byte) (any, error) {
	s.files.folders[canonical(asked.Path)] = true
	return nil, nil
}

func (s *Server) deletePath(asked pathCall, _ []byte) (any, error) {
	if !asked.Recursive && len(s.files.below(asked.Path)) > 1 {
		return nil, refuse(http.StatusBadRequest, "DIRECTORY_NOT_EMPTY", "Folder (%s) is not empty", asked.Path)
	}
	if !s.files.remove(asked.Path) {
		return nil, missing("Path (%s) doesn't exist.", asked.Path)
	}
	return nil, nil
}

// dbfs is a path of DBFS as its own API writes it, with or without the scheme.
func dbfs(name string) string { return "dbfs:" + strings.TrimPrefix(name, "dbfs:") }

func (s *Server) dbfsPut(asked pathCall, body []byte) (any, error) {
	if len(body) > mostBlock {
		return nil, refuse(http.StatusBadRequest, "MAX_BLOCK_SIZE_EXCEEDED", "The contents are larger than %d bytes: use create, add-block and close.", mostBlock)
	}
	return nil, s.files.write(dbfs(asked.Path), body, asked.Overwrite)
}

func (s *Server) dbfsCreate(asked pathCall, _ []byte) (any, error) {
	if _, there := s.files.read(dbfs(asked.Path)); there && !asked.Overwrite {
		return nil, refuse(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "A file or directory already exists at the input path %s.", asked.Path)
	}
	s.files.handles++
	s.files.open[s.files.handles] = &upload{path: dbfs(asked.Path), overwrite: asked.Overwrite}
	return map[string]int64{"handle": s.files.handles}, nil
}

func (s *Server) dbfsBlock(asked pathCall, body []byte) (any, error) {
	open, there := s.files.open[asked.Handle]
	switch {
	case !there:
		return nil, missing("No file handle found with id: %d", asked.Handle)
	case len(body) > mostBlock:
		return nil, refuse(http.StatusBadRequest, "MAX_BLOCK_SIZE_EXCEEDED", "The block is larger than %d bytes.", mostBlock)
	case len(open.body)+len(body) > mostFile:
		return nil, refuse(http.StatusBadRequest, "QUOTA_EXCEEDED", "%s is larger than %d bytes", open.path, mostFile)
	}
	open.body = append(open.body, body...)
	return nil, nil
}

func (s *Server) dbfsClose(asked pathCall, _ []byte) (any, error) {
	open, there := s.files.open[asked.Handle]
	if !there {
		return nil, missing("No file handle found with id: %d", asked.Handle)
	}
	delete(s.files.open, asked.Handle)
	return nil, s.files.write(open.path, open.body, true)
}

func (s *Server) dbfsStatus(asked pathCall, _ []byte) (any, error) {
	body, there := s.files.read(dbfs(asked.Path))
	if !there && !s.files.isFolder(dbfs(asked.Path)) {
		return nil, missing("No file or directory exists on path %s.", asked.Path)
	}
	return map[string]any{"path": strings.TrimPrefix(dbfs(asked.Path), "dbfs:"), "is_dir": !there, "file_size": len(body), "modification_time": millis(s.files.byPath[canonical(dbfs(asked.Path))].at)}, nil
}

func (s *Server) dbfsList(asked pathCall, _ []byte) (any, error) {
	all := []map[string]any{}
	for _, name := range s.files.below(dbfs(asked.Path)) {
		all = append(all, map[string]any{"path": strings.TrimPrefix(name, "dbfs:"), "is_dir": false, "file_size": len(s.files.byPath[name].body)})
	}
	if len(all) == 0 && !s.files.isFolder(dbfs(asked.Path)) {
		return nil, missing("No file or directory exists on path %s.", asked.Path)
	}
	return map[string]any{"files": all}, nil
}

// dbfsRead answers with a part of a file.
func (s *Server) dbfsRead(r *request) (any, error) {
	query := r.URL.Query()
	from, _ := strconv.Atoi(query.Get("offset"))
	length, err := strconv.Atoi(query.Get("length"))
	if err != nil || length > mostBlock {
		length = mostBlock
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body, there := s.files.read(dbfs(query.Get("path")))
	if !there {
		return nil, missing("No file or directory exists on path %s.", query.Get("path"))
	}
	if from < 0 || length < 0 {
		return nil, invalid("offset and length must not be negative")
	}
	from = min(from, len(body))
	part := body[from:min(from+length, len(body))]
	return map[string]any{"bytes_read": len(part), "data": base64.StdEncoding.EncodeToString(part)}, nil
}

func (s *Server) dbfsDelete(asked pathCall, body []byte) (any, error) {
	asked.Path = dbfs(asked.Path)
	return s.deletePath(asked, body)
}

func (s *Server) dbfsFolder(asked pathCall, body []byte) (any, error) {
	asked.Path = dbfs(asked.Path)
	return s.makeFolder(asked, body)
}

// volumeFile is the Files API: the path is the address', the body the file.
func (s *Server) volumeFile(r *request) (any, error) {
	name := "/" + r.PathValue("path")
	if !strings.HasPrefix(name, "/Volumes/") {
		return nil, invalid("The path %s must begin with /Volumes/", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body, there := s.files.read(name)
	switch {
	case r.Method == http.MethodPut:
		if overwrite, err := strconv.ParseBool(r.URL.Query().Get("overwrite")); there && err == nil && !overwrite {
			return nil, refuse(http.StatusConflict, "ALREADY_EXISTS", "The file %s exists already", name)
		}
		return nil, s.files.write(name, r.body, true)
	case !there:
		return nil, refuse(http.StatusNotFound, "NOT_FOUND", "The file %s does not exist.", name)
	case r.Method == http.MethodDelete:
		s.files.remove(name)
		return nil, nil
	}
	return raw{"application/octet-stream", body}, nil
}

// cloudFile puts a file where the platform would have cloud storage.
func (s *Server) cloudFile(r *request) (any, error) {
	name := r.URL.Query().Get("path")
	if !strings.Contains(name, "://") {
		return nil, invalid("path %q is no address of cloud storage like s3://bucket/script.sh", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return nil, s.files.write(name, r.body, true)
}
