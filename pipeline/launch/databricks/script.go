package databricks

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// maxScript is how large the platform takes an init script, in bytes.
const maxScript = 64 << 10

// inImage finds out which init script of the image's own it is. One that is not there is left to the platform to tell: then it
// is the image's fault, not the settings'.
func inImage(ctx context.Context, o Options, s Script, made *plan, found *findings, n int) error {
	if o.InImage == nil {
		return nil
	}
	digest, there, err := o.InImage(ctx, inner(s.Path))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		found.note(n, "It cannot be known which init script %s is: %s.", s.Path, short(err))
	case !there:
		found.note(n, "The init script %s is not in the image.", s.Path)
	default:
		made.digest(s, digest)
	}
	return nil
}

// digest notes which init script it is.
func (p *plan) digest(s Script, digest string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.digests[s.Kind+" "+inner(s.Path)] = digest
}

// inner is the path of a file of the image; other addresses stay as they are.
func inner(address string) string { return strings.TrimPrefix(address, "file:") }

// which is the digest of an init script that has run, else why nobody knows it.
func (p *plan) which(s compute.InitScriptInfoAndExecutionDetails, global bool) (digest, note string) {
	kind := kindOf(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch digest = p.digests[kind+" "+inner(destination(s))]; {
	case global:
		return "", "the workspace runs it on all clusters: not readable from here"
	case digest != "":
		return digest, ""
	case slices.Contains([]string{"s3", "abfss", "gcs"}, kind):
		return "", "it lies in cloud storage, which the cluster alone reads: not readable from here"
	case kind == "file":
		return "", "it was not found in the image before the launch"
	}
	return "", "it was not read before the launch"
}

func kindOf(s compute.InitScriptInfoAndExecutionDetails) string {
	for kind, is := range map[string]bool{
		"workspace": s.Workspace != nil, "volumes": s.Volumes != nil, "dbfs": s.Dbfs != nil, "s3": s.S3 != nil, "abfss": s.Abfss != nil, "gcs": s.Gcs != nil, "file": s.File != nil,
	} {
		if is {
			return kind
		}
	}
	return ""
}

// checkScript finds out whether an init script is where it is said to be, and which one it is. The image's own comes with
// the image; what lies in cloud storage, only the cluster reads.
func (w *workspace) checkScript(ctx context.Context, o Options, s Script, made *plan, found *findings, n int) error {
	if s.Kind == "file" {
		return inImage(ctx, o, s, made, found, n)
	}
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
		made.digest(s, subject.DigestOf(body))
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
