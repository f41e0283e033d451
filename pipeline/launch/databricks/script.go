package databricks

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/compute"
)

// maxScript is how large the platform takes an init script, in bytes.
const maxScript = 64 << 10

// checkScript finds out whether an init script is where it is said to be, and which one it is. The image's own comes with
// the image; what lies in cloud storage, only the cluster reads.
func (w *workspace) checkScript(ctx context.Context, s Script, made *plan, found *findings, n int) error {
	var body []byte
	read := map[string]func(context.Context) error{
		"workspace": func(ctx context.Context) error {
			var answer struct {
				Content string `json:"content"`
			}
			err := w.client.Do(ctx, http.MethodGet, "/api/2.0/workspace/export", w.headers(), map[string]any{"path": strings.TrimPrefix(s.Path, "/Workspace"), "format": "AUTO"}, nil, &answer)
			if err == nil {
				body, err = base64.StdEncoding.DecodeString(answer.Content)
			}
			return err
		},
		"dbfs": func(ctx context.Context) error {
			var answer struct {
				Data string `json:"data"`
			}
			query := map[string]any{"path": strings.TrimPrefix(s.Path, "dbfs:"), "offset": 0, "length": maxScript + 1}
			err := w.client.Do(ctx, http.MethodGet, "/api/2.0/dbfs/read", w.headers(), query, nil, &answer)
			if err == nil {
				body, err = base64.StdEncoding.DecodeString(answer.Data)
			}
			return err
		},
		"volumes": func(ctx context.Context) error {
			headers := w.headers()
			headers["Accept"] = "application/octet-stream"
			delete(headers, "Content-Type")
			return w.client.Do(ctx, http.MethodGet, "/api/2.0/fs/files"+s.Path, headers, nil, nil, &body)
		},
	}[s.Kind]
	if read == nil {
		return nil
	}
	err := w.call(ctx, "reading the init script "+s.Path, harmless, read)
	e := (*fault)(nil)
	switch {
	case err == nil:
		sum := sha256.Sum256(body)
		made.mu.Lock()
		made.digests[s.Path] = "sha256:" + hex.EncodeToString(sum[:])
		made.mu.Unlock()
		if len(body) > maxScript {
			found.problem(n, fmt.Sprintf("the init script %s is larger than the 64 KiB that the platform takes", s.Path), "Put most of it into the image, or into a file that it calls")
		}
		return nil
	case errors.As(err, &e) && gone(e.of.Cause):
		found.problem(n, fmt.Sprintf("the init script %s is not there", s.Path), "Correct launch.databricks.init_scripts, or upload the script")
		return nil
	case errors.As(err, &e) && status(e.of.Cause) == http.StatusForbidden:
		found.problem(n, fmt.Sprintf("the init script %s may not be read", s.Path), "Ask for the right to read it, which the cluster needs, too")
		return nil
	}
	return err
}

// scriptInfo is the script as the API wants it.
func scriptInfo(s Script) compute.InitScriptInfo {
	switch s.Kind {
	case "workspace":
		return compute.InitScriptInfo{Workspace: &compute.WorkspaceStorageInfo{Destination: s.Path}}
	case "volumes":
		return compute.InitScriptInfo{Volumes: &compute.VolumesStorageInfo{Destination: s.Path}}
	case "dbfs":
		return compute.InitScriptInfo{Dbfs: &compute.DbfsStorageInfo{Destination: s.Path}}
	case "s3":
		return compute.InitScriptInfo{S3: &compute.S3StorageInfo{Destination: s.Path, Region: s.Region}}
	case "abfss":
		return compute.InitScriptInfo{Abfss: &compute.Adlsgen2Info{Destination: s.Path}}
	case "gcs":
		return compute.InitScriptInfo{Gcs: &compute.GcsStorageInfo{Destination: s.Path}}
	default:
		return compute.InitScriptInfo{File: &compute.LocalFileInfo{Destination: s.Path}}
	}
}

// destination is where a script of an event lies.
func destination(s compute.InitScriptInfoAndExecutionDetails) string {
	switch {
	case s.Workspace != nil:
		return s.Workspace.Destination
	case s.Volumes != nil:
		return s.Volumes.Destination
	case s.Dbfs != nil:
		return s.Dbfs.Destination
	case s.S3 != nil:
		return s.S3.Destination
	case s.Abfss != nil:
		return s.Abfss.Destination
	case s.Gcs != nil:
		return s.Gcs.Destination
	case s.File != nil:
		return s.File.Destination
	}
	return "an init script"
}
