package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// packagedContext is the demo's Dockerfile on a base that brings Java, Python and tini, as Spark's own images have it and
// as platform teams keep theirs: what is left to do is the tools' work, not apt's. The base is the demo's own stage
// "runtime"; the jar of its stage "examples" is at hand as a file.
func packagedContext(ctx context.Context, g *given, s settings) error {
	if err := sparkContext(ctx, g); err != nil {
		return err
	}
	dir, err := inFolder(s.work, "packaged")
	if err != nil {
		return err
	}
	h := &hallmark{settings: s, given: g}
	for _, stage := range []string{"runtime", "examples"} {
		out := filepath.Join(dir, stage)
		if _, err := os.Stat(out); err == nil {
			continue // of an earlier run
		}
		cmd := exec.CommandContext(ctx, s.hallmark, append([]string{"build", g.context, "--home", filepath.Join(dir, "home"), "--set", "build.target=" + stage, "--to", out}, h.contexts()...)...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("building the stage %s: %w", stage, err)
		}
	}
	made, err := onlyImage(filepath.Join(dir, "examples"))
	if err != nil {
		return err
	}
	jars := filepath.Join(dir, "jars")
	if err := unpack(made, "examples/", filepath.Join(jars, "examples")); err != nil {
		return err
	}
	runtime, err := onlyImage(filepath.Join(dir, "runtime"))
	if err != nil {
		return err
	}
	digest, err := runtime.Digest()
	g.bases = append(g.bases, base{"runtime", filepath.Join(dir, "runtime"), digest.String()})
	g.folders["examples"] = jars
	return err
}

func onlyImage(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s holds not one image: %w", dir, err)
	}
	return index.Image(manifest.Manifests[0].Digest)
}

// unpack writes the image's files below a folder to another one.
func unpack(from v1.Image, below, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	body := mutate.Extract(from)
	defer body.Close()
	for files := tar.NewReader(body); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, found := strings.CutPrefix(header.Name, below)
		if !found || header.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			continue
		}
		text, err := io.ReadAll(files)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
}
