package image

import (
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// fileFacts describes what the patterns ask for, and what no image should have unnoticed.
func (t *tree) fileFacts(patterns []string, limits Limits) (map[string]FileFact, error) {
	files := map[string]FileFact{}
	for id := range t.nodes {
		if !t.nodes[id].removed && notable(t.entry(int32(id))) {
			files[t.absolute(int32(id))] = t.fileFact(int32(id))
			if len(files) > limits.Facts {
				return nil, tooManyFacts(limits)
			}
		}
	}
	for _, pattern := range patterns {
		if err := t.match(pattern, files, limits); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// notable files become facts unasked: they give rights, or take a device into the image.
func notable(entry Entry) bool {
	switch entry.Type {
	case Regular:
		return entry.Mode&(ModeSetuid|ModeSetgid) != 0 || entry.Capable
	case Directory:
		return entry.Mode&0o002 != 0 && entry.Mode&ModeSticky == 0
	case CharDevice, BlockDevice:
		return true
	default:
		return false
	}
}

// match adds the files that an absolute path or glob names, under the path that the pattern gives them: /bin/bash stays
// /bin/bash where /bin is a link to /usr/bin.
func (t *tree) match(pattern string, files map[string]FileFact, limits Limits) error {
	if !strings.HasPrefix(pattern, "/") || !doublestar.ValidatePattern(pattern) {
		return fmt.Errorf("%w: the file pattern %q is not an absolute path or glob: write it like /opt/spark/jars/*.jar", verdict.ErrUsage, pattern)
	}
	if !strings.ContainsAny(pattern, `*?[{\`) {
		clean := path.Clean(pattern)
		if id, ok := t.find(clean, false); ok {
			files[clean] = t.fileFact(id)
		}
		return nil
	}
	base, glob := doublestar.SplitPattern(pattern)
	start, ok := t.find(base, true)
	if !ok || t.typeOf(start) != Directory {
		return nil
	}
	could := lastPart(glob)
	return t.below(start, func(id int32, below string) error {
		if !could(below) || !doublestar.MatchUnvalidated(glob, below) {
			return nil
		}
		files[path.Join(base, below)] = t.fileFact(id)
		if len(files) > limits.Facts {
			return tooManyFacts(limits)
		}
		return nil
	})
}

// lastPart is a quick test that most paths fail: whether the last part of a path has the plain beginning and end of the
// glob's last part.
func lastPart(glob string) func(string) bool {
	part := glob[strings.LastIndexByte(glob, '/')+1:]
	begin, end, star := strings.Cut(part, "*")
	if strings.ContainsAny(part, `?[{}\`) || strings.Contains(end, "*") {
		return func(string) bool { return true }
	}
	return func(below string) bool {
		name := below[strings.LastIndexByte(below, '/')+1:]
		if !star {
			return name == part
		}
		return len(name) >= len(begin)+len(end) && strings.HasPrefix(name, begin) && strings.HasSuffix(name, end)
	}
}

// below visits everything below folder start with its path relative to it. Symbolic links are not followed.
func (t *tree) below(start int32, visit func(id int32, below string) error) error {
	prefix := len(t.nodes[start].path) + 1
	if start == root {
		prefix = 0
	}
	pending := []int32{start}
	for len(pending) > 0 {
		last := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		for child := t.nodes[last].child; child != none; child = t.nodes[child].next {
			if err := visit(child, t.nodes[child].path[prefix:]); err != nil {
				return err
			}
			pending = append(pending, child)
		}
	}
	return nil
}

func (t *tree) fileFact(id int32) FileFact {
	entry := t.entry(id)
	fact := FileFact{
		Type: entry.Type.String(), Mode: octal(entry.Mode), UID: entry.UID, GID: entry.GID, Size: entry.Size,
		Capabilities: entry.Capable, Layer: int(t.nodes[id].layer),
	}
	if entry.Type == Symlink {
		fact.Target = entry.Link
		if target, ok := t.find(t.nodes[id].path, true); ok {
			fact.ResolvesTo = t.absolute(target)
		}
	}
	return fact
}

func tooManyFacts(limits Limits) error {
	return overLimit("the image's facts", verdict.Place{}, "facts", int64(limits.Facts),
		"policies ask for too many files, or the image has too many packages, commands, users or files with special rights")
}
