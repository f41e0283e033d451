package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
)

// mkimage LAYOUT FOLDER [CONFIG] writes an OCI layout of one layer, which holds what the folder holds. The file CONFIG
// is the image's configuration as JSON: User, Env, Cmd, …
func mkimage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: mkimage LAYOUT FOLDER [CONFIG]")
	}
	var config v1.Config
	if len(args) == 3 {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[2])), &config))
	}
	var files []imagetest.File
	root := ts.MkAbs(args[1])
	ts.Check(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.IsDir() {
			files = append(files, imagetest.Dir(name))
			return nil
		}
		body, err := os.ReadFile(path)
		files = append(files, imagetest.File{Path: name, Mode: int64(info.Mode().Perm()), Body: string(body)})
		return err
	}))
	t := onScript{ts: ts}
	imagetest.WriteLayout(t, ts.MkAbs(args[0]), imagetest.Image(t, config, imagetest.Layer(files...).Gzip()))
}

// mkarchive LAYOUT FILE writes the layout's image as docker save would.
func mkarchive(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mkarchive LAYOUT FILE")
	}
	img, err := image.OpenLayout(ts.MkAbs(args[0]), "")
	ts.Check(err)
	tag, err := name.NewTag("team/app:1")
	ts.Check(err)
	ts.Check(tarball.WriteToFile(ts.MkAbs(args[1]), tag, img))
}

// push LAYOUT REFERENCE puts the layout's image into a registry.
func push(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: push LAYOUT REFERENCE")
	}
	img, err := image.OpenLayout(ts.MkAbs(args[0]), "")
	ts.Check(err)
	tag, err := name.NewTag(args[1])
	ts.Check(err)
	ts.Check(remote.Write(tag, img))
}

// retag REPOSITORY@DIGEST TAG moves a tag as people do who have no Hallmark.
func retag(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: retag REPOSITORY@DIGEST TAG")
	}
	at, err := name.NewDigest(args[0])
	ts.Check(err)
	held, err := remote.Get(at)
	ts.Check(err)
	ts.Check(remote.Tag(at.Context().Tag(args[1]), held))
}

// onScript is the part of testing.TB that imagetest uses.
type onScript struct {
	testing.TB
	ts *testscript.TestScript
}

func (o onScript) Helper()                           {}
func (o onScript) Fatalf(format string, args ...any) { o.ts.Fatalf(format, args...) }
