package emulator

import (
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
)

// pathCall is the body of most calls about files.
type pathCall struct {
	Path        string  `json:"path"`
	Content     *string `json:"content,omitempty"`  // workspace/import, base64
	Contents    *string `json:"contents,omitempty"` // dbfs/put, base64
	Data        *string `json:"data,omitempty"`     // dbfs/add-block, base64
	Format      string  `json:"format,omitempty"`
	Language    string  `json:"language,omitempty"`
	Overwrite   bool    `json:"overwrite,omitempty"`
	Recursive   bool    `json:"recursive,omitempty"`
	Handle      int64   `json:"handle,omitempty"`
	Source      string  `json:"source_path,omitempty"` // dbfs/move
	Destination string  `json:"destination_path,omitempty"`

	download bool // workspace/export: the file itself is wanted
}

// fileCall answers a call about a path, given in the query, as JSON, or as a form with the file in a part of its own.
func (s *Server) fileCall(work func(asked pathCall, body []byte) (any, error)) handler {
	return func(r *request) (any, error) {
		var asked pathCall
		var body []byte
		var err error
		switch {
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			query := r.URL.Query()
			asked.Path, asked.Format = query.Get("path"), query.Get("format")
			asked.download = query.Get("direct_download") == "true"
		case strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data"):
			asked, body, err = formOf(r)
		default:
			err = decode(r.body, &asked)
			for _, text := range []*string{asked.Content, asked.Contents, asked.Data} {
				if text != nil && err == nil {
					if body, err = base64.StdEncoding.DecodeString(*text); err != nil {
						err = malformed("the contents are not base64")
					}
				}
			}
		}
		if err != nil {
			return nil, err
		}
		if asked.Path == "" && asked.Handle == 0 && asked.Source == "" {
			return nil, invalid("Missing required field: path")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return work(asked, body)
	}
}

// formOf reads a form. The reference has the file in the part content, or contents for DBFS; the older CLI calls it file.
func formOf(r *request) (asked pathCall, body []byte, err error) {
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return asked, nil, malformed("the form cannot be read: %v", err)
	}
	defer r.MultipartForm.RemoveAll()
	value := func(key string) string { return strings.Join(r.MultipartForm.Value[key], "") }
	asked.Path, asked.Format, asked.Language = value("path"), value("format"), value("language")
	if asked.Overwrite, err = strconv.ParseBool(value("overwrite")); err != nil && value("overwrite") != "" {
		return asked, nil, malformed("overwrite is true or false, not %.20q", value("overwrite"))
	}
	body = []byte(value("content"))
	for _, key := range []string{"content", "contents", "file"} {
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
