package emulator

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// upload is a file of DBFS that is written block by block.
type upload struct {
	path      string
	body      []byte
	overwrite bool
}

// Bounds of DBFS: the platform's of a block, the emulator's of uploads that nobody closed.
const (
	mostBlock = 1 << 20
	mostOpen  = 64
)

// dbfs is a path of DBFS as its own API writes it, with or without the scheme.
func dbfs(name string) string { return "dbfs:" + strings.TrimPrefix(name, "dbfs:") }

// dbfsCall holds a call to DBFS's own paths.
func (s *Server) dbfsCall(work func(asked pathCall, body []byte) (any, error)) handler {
	return s.fileCall(func(asked pathCall, body []byte) (any, error) {
		for _, name := range []*string{&asked.Path, &asked.Source, &asked.Destination} {
			if *name == "" {
				continue
			}
			if !strings.HasPrefix(strings.TrimPrefix(*name, "dbfs:"), "/") {
				return nil, invalid("Path must be absolute: %s", *name)
			}
			*name = dbfs(*name)
		}
		return work(asked, body)
	})
}

func (s *Server) dbfsPut(asked pathCall, body []byte) (any, error) {
	if asked.Contents != nil && len(body) > mostBlock {
		return nil, refuse(http.StatusBadRequest, "MAX_BLOCK_SIZE_EXCEEDED", "The contents are larger than %d bytes: send them as a form, or use create, add-block and close.", mostBlock)
	}
	return nil, s.files.write(asked.Path, body, asked.Overwrite)
}

func (s *Server) dbfsCreate(asked pathCall, _ []byte) (any, error) {
	if _, there := s.files.read(asked.Path); there && !asked.Overwrite || s.files.isFolder(asked.Path) {
		return nil, refuse(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "A file or directory already exists at the input path %s.", shown(asked.Path))
	}
	if len(s.files.open) >= mostOpen {
		return nil, refuse(http.StatusBadRequest, "QUOTA_EXCEEDED", "the emulator has %d uploads that were not closed", mostOpen)
	}
	s.files.handles++
	s.files.open[s.files.handles] = &upload{path: asked.Path, overwrite: asked.Overwrite}
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
	return nil, s.files.write(open.path, open.body, open.overwrite)
}

func (s *Server) dbfsStatus(asked pathCall, _ []byte) (any, error) {
	name := canonical(asked.Path)
	one, there := s.files.byPath[name]
	if !there && !s.files.isFolder(name) {
		return nil, missing("No file or directory exists on path %s.", shown(name))
	}
	return stat(entry{name: name, folder: !there, file: one}), nil
}

// stat is an entry as DBFS describes it.
func stat(e entry) map[string]any {
	return map[string]any{"path": shown(e.name), "is_dir": e.folder, "file_size": len(e.file.body), "modification_time": millis(e.file.at)}
}

func (s *Server) dbfsList(asked pathCall, _ []byte) (any, error) {
	found := s.files.in(asked.Path)
	if len(found) == 0 && !s.files.isFolder(asked.Path) {
		return nil, missing("No file or directory exists on path %s.", shown(asked.Path))
	}
	all := []map[string]any{}
	for _, e := range found {
		all = append(all, stat(e))
	}
	return map[string]any{"files": all}, nil
}

// dbfsRead answers with a part of a file.
func (s *Server) dbfsRead(r *request) (any, error) {
	query := r.URL.Query()
	from, length := 0, mostBlock
	for key, number := range map[string]*int{"offset": &from, "length": &length} {
		text := query.Get(key)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, invalid("%s must be a number that is not negative, got %.20q", key, text)
		}
		*number = n
	}
	if length > mostBlock {
		return nil, refuse(http.StatusBadRequest, "MAX_READ_SIZE_EXCEEDED", "At most %d bytes can be read at once, asked for %d.", mostBlock, length)
	}
	body, there := s.files.read(dbfs(query.Get("path")))
	if !there {
		return nil, missing("No file or directory exists on path %s.", query.Get("path"))
	}
	from = min(from, len(body))
	part := body[from:min(from+length, len(body))]
	return map[string]any{"bytes_read": len(part), "data": base64.StdEncoding.EncodeToString(part)}, nil
}

// dbfsDelete is content with a path where nothing lies, as the platform is.
func (s *Server) dbfsDelete(asked pathCall, _ []byte) (any, error) {
	if _, there := s.files.read(asked.Path); !there && !s.files.isFolder(asked.Path) {
		return nil, nil
	}
	if s.files.isFolder(asked.Path) && len(s.files.in(asked.Path)) > 0 && !asked.Recursive {
		return nil, refuse(http.StatusBadRequest, "IO_ERROR", "The directory %s is not empty, and recursive is false.", shown(asked.Path))
	}
	return s.deletePath(asked.Path, true)
}

func (s *Server) dbfsMove(asked pathCall, _ []byte) (any, error) {
	if asked.Source == "" || asked.Destination == "" {
		return nil, invalid("Missing required field: source_path and destination_path")
	}
	if _, there := s.files.read(asked.Source); !there && !s.files.isFolder(asked.Source) {
		return nil, missing("No file or directory exists on path %s.", shown(asked.Source))
	}
	return nil, s.files.move(asked.Source, asked.Destination)
}
