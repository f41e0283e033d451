package emulator

import (
	"net/http"
	"strconv"
	"strings"
)

// volumePath is the path of a call of the Files API: the address' own.
func volumePath(r *request) (string, error) {
	name := "/" + r.PathValue("path")
	if !strings.HasPrefix(name, "/Volumes/") {
		return "", invalid("The path %s must begin with /Volumes/", name)
	}
	return canonical(name), nil
}

func notThere(what, name string) error {
	return refuse(http.StatusNotFound, "NOT_FOUND", "The %s being accessed is not found: %s", what, name)
}

// volumeFile is a file of the Files API: the path is the address', the body the file.
func (s *Server) volumeFile(r *request) (any, error) {
	name, err := volumePath(r)
	if err != nil {
		return nil, err
	}
	one, there := s.files.byPath[name]
	switch {
	case r.Method == http.MethodPut:
		if overwrite, err := strconv.ParseBool(r.URL.Query().Get("overwrite")); there && err == nil && !overwrite {
			return nil, refuse(http.StatusConflict, "ALREADY_EXISTS", "The file being created already exists: %s", name)
		}
		return nothing{}, s.files.write(name, r.body, true)
	case !there:
		return nil, notThere("file", name)
	case r.Method == http.MethodDelete:
		s.files.remove(name)
		return nothing{}, nil
	}
	return stored{raw{"application/octet-stream", one.body}, one.at}, nil
}

// volumeFolder is a directory of the Files API.
func (s *Server) volumeFolder(r *request) (any, error) {
	name, err := volumePath(r)
	if err != nil {
		return nil, err
	}
	there := s.files.isFolder(name)
	switch {
	case r.Method == http.MethodPut:
		if _, err := s.folder(name); err != nil {
			return nil, err
		}
		return nothing{}, nil
	case !there:
		return nil, notThere("directory", name)
	case r.Method == http.MethodHead:
		return nothing{http.StatusOK}, nil
	case r.Method == http.MethodDelete:
		if len(s.files.in(name)) > 0 {
			return nil, refuse(http.StatusBadRequest, "FAILED_PRECONDITION", "The directory is not empty: %s", name)
		}
		s.files.remove(name)
		return nothing{}, nil
	}
	return s.volumeContents(r, name)
}

// mostContents is the platform's limit of one page of a directory.
const mostContents = 1000

// volumeContents lists a directory, page by page.
func (s *Server) volumeContents(r *request, name string) (any, error) {
	query, size, from := r.URL.Query(), mostContents, 0
	if text := query.Get("page_size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, invalid("page_size %.20q is no number of entries", text)
		}
		if n > 0 {
			size = min(n, mostContents)
		}
	}
	if token := query.Get("page_token"); token != "" {
		at, err := openToken(token)
		if err != nil {
			return nil, err
		}
		from = int(at)
	}
	found := s.files.in(name)
	from = min(from, len(found))
	to := min(from+size, len(found))
	all := []map[string]any{}
	for _, e := range found[from:to] {
		one := map[string]any{"path": e.name, "name": e.name[len(within(name)):], "is_directory": e.folder}
		if !e.folder {
			one["file_size"], one["last_modified"] = len(e.file.body), millis(e.file.at)
		}
		all = append(all, one)
	}
	answer := map[string]any{"contents": all}
	if to < len(found) {
		answer["next_page_token"] = makeToken(int64(to))
	}
	return answer, nil
}

// cloudFile puts a file where the platform would have cloud storage.
func (s *Server) cloudFile(r *request) (any, error) {
	name := r.URL.Query().Get("path")
	if !strings.Contains(name, "://") {
		return nil, invalid("path %q is no address of cloud storage like s3://bucket/script.sh", name)
	}
	return nil, s.files.write(name, r.body, true)
}
