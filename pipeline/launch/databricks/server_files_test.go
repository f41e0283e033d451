package databricks

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// listed is something in a folder.
type listed struct {
	path   string
	folder bool
}

// in is what lies in a folder, in order; nothing: it is not there.
func (s *server) in(folder string) (found []listed) {
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		rest, below := strings.CutPrefix(name, folder+"/")
		first, _, deeper := strings.Cut(rest, "/")
		one := listed{folder + "/" + first, deeper}
		if below && !slices.Contains(found, one) {
			found = append(found, one)
		}
	}
	return found
}

func (s *server) at(name string) int64 {
	return max(0, s.written[name].UnixMilli())
}

// block is a part of a file of DBFS, of at most 1 MiB.
func (s *server) block(w http.ResponseWriter, q url.Values) {
	text, there := s.files["dbfs:"+q.Get("path")]
	offset, _ := strconv.Atoi(q.Get("offset"))
	length, err := strconv.Atoi(q.Get("length"))
	switch {
	case !there:
		write(w, http.StatusNotFound, map[string]any{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No file or directory exists on path " + q.Get("path") + "."})
	case err != nil || length > 1<<20:
		write(w, http.StatusBadRequest, map[string]any{"error_code": "MAX_READ_SIZE_EXCEEDED", "message": "length is " + q.Get("length")})
	default:
		part := text[min(offset, len(text)):min(offset+length, len(text))]
		write(w, http.StatusOK, map[string]any{"bytes_read": len(part), "data": []byte(part)})
	}
}

func (s *server) dbfsFolder(w http.ResponseWriter, folder string) {
	found := s.in("dbfs:" + folder)
	if len(found) == 0 {
		write(w, http.StatusNotFound, map[string]any{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No file or directory exists on path " + folder + "."})
		return
	}
	var all []map[string]any
	for _, f := range found {
		all = append(all, map[string]any{"path": strings.TrimPrefix(f.path, "dbfs:"), "is_dir": f.folder, "file_size": len(s.files[f.path]), "modification_time": s.at(f.path)})
	}
	write(w, http.StatusOK, map[string]any{"files": all})
}

// volumeFolder answers in pages of one.
func (s *server) volumeFolder(w http.ResponseWriter, folder, token string) {
	found := s.in(folder)
	if len(found) == 0 {
		write(w, http.StatusNotFound, map[string]any{"error_code": "NOT_FOUND", "message": "The directory being accessed is not found."})
		return
	}
	n, _ := strconv.Atoi(token)
	f := found[n]
	one := map[string]any{"path": f.path, "name": f.path[len(folder)+1:], "is_directory": f.folder}
	if !f.folder {
		one["file_size"], one["last_modified"] = len(s.files[f.path]), s.at(f.path)
	}
	page := map[string]any{"contents": []map[string]any{one}}
	if n+1 < len(found) {
		page["next_page_token"] = strconv.Itoa(n + 1)
	}
	write(w, http.StatusOK, page)
}
