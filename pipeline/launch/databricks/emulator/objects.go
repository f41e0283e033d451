package emulator

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

// Formats and languages of the workspace's API.
var (
	formats           = []string{"", "AUTO", "DBC", "HTML", "JUPYTER", "RAW", "R_MARKDOWN", "SOURCE"}
	notebookLanguages = map[string]string{"PYTHON": ".py", "SCALA": ".scala", "SQL": ".sql", "R": ".r"}
	commentOf         = map[string]string{"PYTHON": "#", "SCALA": "//", "SQL": "--", "R": "#"}
)

// notebookHeader begins the source of a notebook, after the language's sign of a comment.
const notebookHeader = " Databricks notebook source"

// importFile keeps a file, or a notebook by its source.
func (s *Server) importFile(asked pathCall, body []byte) (any, error) {
	if !strings.HasPrefix(asked.Path, "/") {
		return nil, invalid("Path (%s) must start with '/'", asked.Path)
	}
	if !slices.Contains(formats, asked.Format) {
		return nil, malformed("Could not parse request object: format %q is none of %s", asked.Format, strings.Join(formats[1:], ", "))
	}
	name, one := asked.Path, file{body: body}
	switch asked.Format {
	case "AUTO":
		if language := languageOf(name, body); language != "" {
			name, one.language = strings.TrimSuffix(name, path.Ext(name)), language
		}
	case "RAW":
	case "", "SOURCE":
		if asked.Language == "" {
			return nil, invalid("language must be specified when importing a single file as SOURCE")
		}
		if _, known := notebookLanguages[asked.Language]; !known {
			return nil, malformed("Could not parse request object: language %q is none of PYTHON, SCALA, SQL, R", asked.Language)
		}
		one.language = asked.Language
	default:
		return nil, invalid("The emulator imports AUTO, RAW and SOURCE, not %s.", asked.Format)
	}
	if above := parent(name); above != "" && !s.files.isFolder(above) {
		return nil, missing("The parent folder (%s) does not exist.", shown(above))
	}
	if before, there := s.files.byPath[canonical(name)]; there && asked.Overwrite && (before.language == "") != (one.language == "") {
		return nil, invalid("Cannot overwrite the asset at %s due to type mismatch (asked: %s, actual: %s).", shown(canonical(name)), one.kind(), before.kind())
	}
	return nil, s.files.put(name, one, asked.Overwrite)
}

// languageOf is a notebook's that says in its first line that it is one; empty: it is a file.
func languageOf(name string, body []byte) string {
	first, _, _ := bytes.Cut(body, []byte("\n"))
	for language, extension := range notebookLanguages {
		if strings.EqualFold(path.Ext(name), extension) && strings.TrimSpace(string(first)) == commentOf[language]+notebookHeader {
			return language
		}
	}
	return ""
}

func (f file) kind() string {
	if f.language != "" {
		return "NOTEBOOK"
	}
	return "FILE"
}

// object is an entry as get-status and list describe it.
func object(e entry) map[string]any {
	id := objectID(e.name)
	all := map[string]any{"path": shown(e.name), "object_id": id, "resource_id": fmt.Sprint(id)}
	switch {
	case e.folder:
		all["object_type"] = "DIRECTORY"
		return all
	case e.file.language != "":
		all["language"] = e.file.language
	default:
		all["size"] = len(e.file.body)
	}
	all["object_type"], all["created_at"], all["modified_at"] = e.file.kind(), millis(e.file.created), millis(e.file.at)
	return all
}

// objectID is a number that stays the same for a path.
func objectID(name string) (id int64) {
	for _, r := range canonical(name) {
		id = (id*31 + int64(r)) % 1_000_000_007
	}
	return id + 1
}

func (s *Server) workspaceStatus(asked pathCall, _ []byte) (any, error) {
	name := canonical(asked.Path)
	if one, there := s.files.byPath[name]; there {
		return object(entry{name: name, file: one}), nil
	}
	if s.files.isFolder(name) {
		return object(entry{name: name, folder: true}), nil
	}
	return nil, missing("Path (%s) doesn't exist.", asked.Path)
}

func (s *Server) exportFile(asked pathCall, _ []byte) (any, error) {
	if !slices.Contains(formats, asked.Format) {
		return nil, malformed("Could not parse request object: format %q is none of %s", asked.Format, strings.Join(formats[1:], ", "))
	}
	one, there := s.files.byPath[canonical(asked.Path)]
	switch {
	case s.files.isFolder(asked.Path):
		return nil, invalid("The emulator exports files and notebooks, not the directory %s.", asked.Path)
	case !there:
		return nil, missing("Path (%s) doesn't exist.", asked.Path)
	case !slices.Contains([]string{"", "AUTO", "RAW", "SOURCE"}, asked.Format):
		return nil, invalid("The emulator exports AUTO, RAW and SOURCE, not %s.", asked.Format)
	case asked.download:
		return raw{"application/octet-stream", one.body}, nil
	}
	extension := strings.TrimPrefix(path.Ext(asked.Path), ".")
	if one.language != "" {
		extension = strings.TrimPrefix(notebookLanguages[one.language], ".")
	}
	return map[string]string{"content": base64.StdEncoding.EncodeToString(one.body), "file_type": extension}, nil
}

func (s *Server) listWorkspace(asked pathCall, _ []byte) (any, error) {
	found := s.files.in(asked.Path)
	if len(found) == 0 && !s.files.isFolder(asked.Path) {
		return nil, missing("Path (%s) doesn't exist.", asked.Path)
	}
	all := []map[string]any{}
	for _, e := range found {
		all = append(all, object(e))
	}
	return map[string]any{"objects": all}, nil
}

func (s *Server) makeFolder(asked pathCall, _ []byte) (any, error) { return s.folder(asked.Path) }

// folder makes a folder, unless a file lies there, or on the way.
func (s *Server) folder(name string) (any, error) {
	for above := canonical(name); above != ""; above = parent(above) {
		if _, isFile := s.files.byPath[above]; isFile {
			return nil, refuse(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "%s is a file", shown(above))
		}
	}
	s.files.makeFolders(canonical(name))
	return nil, nil
}

func (s *Server) deleteObject(asked pathCall, _ []byte) (any, error) {
	return s.deletePath(asked.Path, asked.Recursive)
}
