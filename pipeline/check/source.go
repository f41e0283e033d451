package check

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
	"github.com/hallmark-ci/hallmark/policies"
)

// What a pack's folder may hold. Real packs are a hundred times smaller; more is a wrong folder or a hostile one.
const (
	maxFiles    = 500
	maxFileSize = 1 << 20
	maxPackSize = 8 << 20
	maxDepth    = 8
)

const manifestName = "pack.yaml"

// sharedFolder holds the helpers that every pack may import as data.hallmark.image and data.hallmark.testing.
const sharedFolder = "lib"

// source is a pack's text, read once: what is compiled and what is digested are the same bytes.
type source struct {
	shown string            // how problems name the folder: the path that the user gave, or "pack:spark"
	files map[string][]byte // by path in the folder, slash-separated
}

// embedded returns the source of the pack of that name that the program carries.
func embedded(name string) (*source, error) {
	sub, err := fs.Sub(policies.FS, name)
	if err != nil {
		return nil, fmt.Errorf("opening the embedded pack %s: %w", name, err)
	}
	return readSource(sub, "pack:"+name)
}

// Names lists the packs that the program carries.
func Names() []string {
	entries, err := fs.ReadDir(policies.FS, ".")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != sharedFolder {
			names = append(names, e.Name())
		}
	}
	return names
}

// folder returns the source in a folder of the user's. Links that lead out of the folder are not followed.
func folder(dir string) (*source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: opening the pack's folder %s: %w. Give a folder that holds %s, or the name of an embedded pack (%s)",
			verdict.ErrUsage, dir, verdict.WithoutPath(err), manifestName, strings.Join(Names(), ", "))
	}
	defer root.Close() //nolint:errcheck // read only
	return readSource(root.FS(), filepath.ToSlash(dir))
}

func readSource(fsys fs.FS, shown string) (*source, error) {
	s := &source{shown: shown, files: map[string][]byte{}}
	total := 0
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%w: reading the pack %s: %w", verdict.ErrUsage, shown, err)
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() && strings.Count(name, "/") >= maxDepth:
			return fmt.Errorf("%w: the pack %s has folders nested deeper than %d", verdict.ErrUsage, shown, maxDepth)
		case entry.IsDir() || !wanted(name):
			return nil
		case len(s.files) == maxFiles:
			return fmt.Errorf("%w: the pack %s holds more than %d files: is it the right folder?", verdict.ErrUsage, shown, maxFiles)
		}
		info, err := fs.Stat(fsys, name)
		if err != nil {
			return fmt.Errorf("%w: reading %s: %w", verdict.ErrUsage, path.Join(shown, name), err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%w: %s is not a regular file", verdict.ErrUsage, path.Join(shown, name))
		}
		if info.Size() > maxFileSize {
			return fmt.Errorf("%w: %s is larger than the %d bytes that a pack's file may have", verdict.ErrUsage, path.Join(shown, name), maxFileSize)
		}
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("%w: reading %s: %w", verdict.ErrUsage, path.Join(shown, name), err)
		}
		if total += len(body); total > maxPackSize {
			return fmt.Errorf("%w: the pack %s is larger than %d bytes", verdict.ErrUsage, shown, maxPackSize)
		}
		s.files[name] = body
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// wanted says whether a file belongs to the pack. READMEs and the like may lie beside it and do not change its digest.
func wanted(name string) bool {
	return name == manifestName || path.Ext(name) == ".rego" || isData(name)
}

// isData says whether name is a data file: data.yaml beside pack.yaml, or anything in the folder data.
func isData(name string) bool {
	if path.Dir(name) != "data" {
		return false
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	default:
		return false
	}
}

// names lists the files with the given extension in a fixed order.
func (s *source) names(keep func(string) bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.files)), func(name string) bool { return !keep(name) })
}

// digest is "sha256:…" over the names and bodies of the pack's files and of the shared helpers, in order. Tests are
// part of it: a pack is what was tested.
func (s *source) digest(shared *source) string {
	h := sha256.New()
	for _, part := range []*source{s, shared} {
		for _, name := range slices.Sorted(maps.Keys(part.files)) {
			fmt.Fprintf(h, "%s\x00%d\x00", name, len(part.files[name]))
			h.Write(part.files[name])
		}
		h.Write([]byte{0xff})
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
