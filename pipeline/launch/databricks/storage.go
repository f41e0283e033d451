package databricks

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/httpclient"
	"github.com/databricks/databricks-sdk-go/service/files"
)

// mostStored bounds what is listed of one folder.
const mostStored = 1000

// folder lists a folder of DBFS or of a volume; one that is not there is empty.
func (w *workspace) folder(ctx context.Context, name string) (found []stored, err error) {
	err = w.call(ctx, "listing "+name, harmless, func(ctx context.Context) error {
		found = nil
		if inVolume(name) {
			all := files.NewFiles(w.client).ListDirectoryContents(ctx, files.ListDirectoryContentsRequest{DirectoryPath: name})
			for len(found) < mostStored && all.HasNext(ctx) {
				e, err := all.Next(ctx)
				if err != nil {
					return err
				}
				found = append(found, stored{path: e.Path, folder: e.IsDirectory, size: e.FileSize, at: time.UnixMilli(e.LastModified)})
			}
			return nil
		}
		answer, err := files.NewDbfs(w.client).ListByPath(ctx, strings.TrimPrefix(name, "dbfs:"))
		if err != nil {
			return err
		}
		for _, e := range answer.Files[:min(len(answer.Files), mostStored)] {
			found = append(found, stored{path: "dbfs:" + e.Path, folder: e.IsDir, size: e.FileSize, at: time.UnixMilli(e.ModificationTime)})
		}
		return nil
	})
	if absent(err) {
		return nil, nil
	}
	return found, err
}

// from is what a file of DBFS or of a volume holds from an offset on, at most so many bytes: of DBFS no more than the 1 MB
// that it hands out at once.
func (w *workspace) from(ctx context.Context, file stored, offset, most int64) (text string, err error) {
	err = w.call(ctx, "reading "+file.path, harmless, func(ctx context.Context) error {
		if inVolume(file.path) {
			text, err = w.download(ctx, file.path, offset, most)
			return err
		}
		part, err := files.NewDbfs(w.client).Read(ctx, files.ReadDbfsRequest{Path: strings.TrimPrefix(file.path, "dbfs:"), Offset: offset, Length: most})
		if err != nil {
			return err
		}
		body, err := base64.StdEncoding.DecodeString(part.Data)
		text = string(body)
		return err
	})
	return text, err
}

// download reads a part of a volume's file. The SDK's own method cannot ask for a part.
func (w *workspace) download(ctx context.Context, name string, offset, most int64) (string, error) {
	headers := w.headers()
	headers["Accept"] = "application/octet-stream"
	delete(headers, "Content-Type")
	if offset > 0 {
		headers["Range"] = fmt.Sprintf("bytes=%d-%d", offset, offset+most-1)
	}
	answer := struct {
		Contents     io.ReadCloser `json:"-"`
		ContentRange string        `json:"-" url:"-" header:"content-range,omitempty"`
	}{}
	if err := w.client.Do(ctx, http.MethodGet, "/api/2.0/fs/files"+httpclient.EncodeMultiSegmentPathParameter(name), headers, nil, nil, &answer); err != nil {
		return "", err
	}
	defer answer.Contents.Close()
	if offset > 0 && answer.ContentRange == "" { // what lies between does not pass ranges on
		if _, err := io.CopyN(io.Discard, answer.Contents, offset); err != nil {
			return "", err
		}
	}
	text, err := io.ReadAll(io.LimitReader(answer.Contents, most))
	return string(text), err
}

func inVolume(name string) bool { return strings.HasPrefix(name, "/Volumes/") }
