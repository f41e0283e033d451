package emulator

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	sdkfiles "github.com/databricks/databricks-sdk-go/service/files"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

func TestFoldersHaveWhatLiesInThem(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	d := sdkfiles.NewDbfs(b.api())
	for _, path := range []string{"/a/b/c.txt", "/a/d.txt"} {
		if err := d.Put(t.Context(), sdkfiles.Put{Path: path, Contents: "eA=="}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.MkdirsByPath(t.Context(), "/empty"); err != nil {
		t.Fatal(err)
	}
	list := func(path, want string) {
		t.Helper()
		found, err := d.ListAll(t.Context(), sdkfiles.ListDbfsRequest{Path: path})
		var names []string
		for _, f := range found {
			if f.IsDir {
				f.Path += "/"
			}
			names = append(names, f.Path)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("in %s lies %s, want %s: %v", path, got, want, err)
		}
	}
	list("/", "/a/ /empty/")
	list("/a", "/a/b/ /a/d.txt")
	list("/a/d.txt", "/a/d.txt")
	if err := d.Move(t.Context(), sdkfiles.Move{SourcePath: "/a/b", DestinationPath: "/moved"}); err != nil {
		t.Error(err)
	}
	list("/moved", "/moved/c.txt")
	for _, test := range []struct {
		path string
		body changes
		want string
	}{
		{"/api/2.0/dbfs/delete", changes{"path": "/a"}, "IO_ERROR"},
		{"/api/2.0/dbfs/delete", changes{"path": "/", "recursive": true}, "INVALID_PARAMETER_VALUE"},
		{"/api/2.0/dbfs/put", changes{"path": "relative", "contents": ""}, "INVALID_PARAMETER_VALUE"},
		{"/api/2.0/dbfs/put", changes{"path": "/a/d.txt/deeper", "contents": ""}, "INVALID_PARAMETER_VALUE"},
		{"/api/2.0/dbfs/put", changes{"path": "/a", "contents": "", "overwrite": true}, "RESOURCE_ALREADY_EXISTS"},
		{"/api/2.0/dbfs/put", changes{"path": "/large", "contents": base64.StdEncoding.EncodeToString(make([]byte, mostBlock+1))}, "MAX_BLOCK_SIZE_EXCEEDED"},
		{"/api/2.0/dbfs/mkdirs", changes{"path": "/a/d.txt"}, "RESOURCE_ALREADY_EXISTS"},
		{"/api/2.0/dbfs/move", changes{"source_path": "/none", "destination_path": "/x"}, "RESOURCE_DOES_NOT_EXIST"},
		{"/api/2.0/dbfs/move", changes{"source_path": "/a", "destination_path": "/moved"}, "RESOURCE_ALREADY_EXISTS"},
		{"/api/2.0/dbfs/move", changes{"source_path": "/a", "destination_path": "/a/in"}, "INVALID_PARAMETER_VALUE"},
		{"/api/2.0/workspace/delete", changes{"path": "/Users"}, "DIRECTORY_NOT_EMPTY"},
		{"/api/2.0/workspace/import", changes{"path": "/Shared/x", "content": "eA=="}, "INVALID_PARAMETER_VALUE"},
		{"/api/2.0/workspace/import", changes{"path": "/Shared/x", "content": "eA==", "format": "SOURCE", "language": "COBOL"}, "MALFORMED_REQUEST"},
		{"/api/2.0/workspace/import", changes{"path": "/Shared/x", "content": "?", "format": "RAW"}, "MALFORMED_REQUEST"},
		{"/api/2.0/workspace/import", changes{"path": "/Nowhere/x", "content": "eA==", "format": "RAW"}, "RESOURCE_DOES_NOT_EXIST"},
	} {
		if status, answer := b.post(test.path, test.body); status < 400 || answer["error_code"] != test.want {
			t.Errorf("%s %.80v: %d %v", test.path, test.body, status, answer)
		}
	}
	if status, answer := b.send("GET", "/api/2.0/dbfs/read?path=/moved/c.txt&length=2000000", ""); status != 400 || answer["error_code"] != "MAX_READ_SIZE_EXCEEDED" {
		t.Errorf("%d %v", status, answer)
	}
}

func TestNotebooksAndFiles(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	w := workspace.NewWorkspace(b.api())
	source := "# Databricks notebook source\nprint(1)\n"
	for name, text := range map[string]string{"told.py": source, "plain.py": "print(1)\n"} {
		if err := w.Upload(t.Context(), "/Shared/"+name, strings.NewReader(text), workspace.UploadFormat(workspace.ImportFormatAuto)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := w.ListAll(t.Context(), workspace.ListWorkspaceRequest{Path: "/Shared"})
	if err != nil || len(found) != 2 || found[0].Path != "/Shared/plain.py" || found[0].ObjectType != workspace.ObjectTypeFile ||
		found[1].Path != "/Shared/told" || found[1].ObjectType != workspace.ObjectTypeNotebook || found[1].Language != workspace.LanguagePython {
		t.Errorf("%+v, %v", found, err)
	}
	file, err := w.Download(t.Context(), "/Shared/told")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if text, err := io.ReadAll(file); string(text) != source {
		t.Errorf("%q, %v", text, err)
	}
	if err := w.Upload(t.Context(), "/Shared/told", strings.NewReader("x"), workspace.UploadFormat(workspace.ImportFormatRaw), workspace.UploadOverwrite()); err == nil || !strings.Contains(err.Error(), "type mismatch") {
		t.Errorf("a file in the place of a notebook: %v", err)
	}
}

// The older CLI sends a file in a part of that name.
func TestFormsOfTheOlderCLI(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	_ = parts.WriteField("path", "/scripts/a.sh")
	_ = parts.WriteField("overwrite", "True")
	part, _ := parts.CreateFormFile("file", "a.sh")
	_, _ = part.Write([]byte("#!/bin/bash\n"))
	_ = parts.Close()
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/api/2.0/dbfs/put", &form)
	request.Header.Set("Authorization", "Bearer "+b.Token())
	request.Header.Set("Content-Type", parts.FormDataContentType())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got, err := sdkfiles.NewDbfs(b.api()).ReadFile(t.Context(), "/scripts/a.sh"); response.StatusCode != 200 || err != nil || string(got) != "#!/bin/bash\n" {
		t.Errorf("%d: %q, %v", response.StatusCode, got, err)
	}
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	f := sdkfiles.NewFiles(b.api())
	const folder = "/Volumes/main/s/v"
	if err := f.CreateDirectory(t.Context(), sdkfiles.CreateDirectoryRequest{DirectoryPath: folder + "/empty"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Upload(t.Context(), sdkfiles.UploadRequest{FilePath: folder + "/a.sh", Contents: io.NopCloser(strings.NewReader("0123456789"))}); err != nil {
		t.Fatal(err)
	}
	found, err := f.ListDirectoryContentsAll(t.Context(), sdkfiles.ListDirectoryContentsRequest{DirectoryPath: folder, PageSize: 1})
	if err != nil || len(found) != 2 || found[0].Name != "a.sh" || found[0].FileSize != 10 || !found[1].IsDirectory {
		t.Errorf("%+v, %v", found, err)
	}
	if got, err := f.GetMetadata(t.Context(), sdkfiles.GetMetadataRequest{FilePath: folder + "/a.sh"}); err != nil || got.ContentLength != 10 || got.LastModified == "" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := f.GetDirectoryMetadata(t.Context(), sdkfiles.GetDirectoryMetadataRequest{DirectoryPath: folder}); err != nil {
		t.Error(err)
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/api/2.0/fs/files"+folder+"/a.sh", nil)
	request.Header.Set("Authorization", "Bearer "+b.Token())
	request.Header.Set("Range", "bytes=2-4")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusPartialContent || string(text) != "234" {
		t.Errorf("%d %q", response.StatusCode, text)
	}
	if err := f.DeleteDirectory(t.Context(), sdkfiles.DeleteDirectoryRequest{DirectoryPath: folder}); err == nil {
		t.Error("a directory went with what lies in it")
	}
	if err := f.DeleteDirectory(t.Context(), sdkfiles.DeleteDirectoryRequest{DirectoryPath: folder + "/empty"}); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/api/2.0/fs/files" + folder + "/none", "/api/2.0/fs/directories" + folder + "/empty"} {
		if status, answer := b.send("GET", path, ""); status != 404 || answer["error_code"] != "NOT_FOUND" {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
}
