package build

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// contexts are the named contexts, resolved to what the frontend and the session want.
type contexts struct {
	attributes map[string]string // of the frontend
	locals     map[string]string // folders by the name that the frontend has for them
	stores     map[string]content.Store
	layouts    map[string]layoutContext // by store id
	images     map[string]string        // name of the context by normalized reference
}

type layoutContext struct{ name, path string }

// resolveContexts reads the named contexts. Folders and layouts are relative to folder.
func resolveContexts(named map[string]string, folder string) (contexts, error) {
	c := contexts{
		attributes: map[string]string{}, locals: map[string]string{}, stores: map[string]content.Store{},
		layouts: map[string]layoutContext{}, images: map[string]string{},
	}
	names := make([]string, 0, len(named))
	for name := range named {
		names = append(names, name)
	}
	slices.Sort(names) // store ids are numbered: the same options give the same request
	for _, name := range names {
		if err := c.add(name, named[name], folder); err != nil {
			return c, fmt.Errorf("the named context %q: %w", name, err)
		}
	}
	return c, nil
}

func (c *contexts) add(name, value, folder string) error {
	scheme, rest, hasScheme := strings.Cut(value, "://")
	switch {
	case hasScheme && scheme == "docker-image":
		ref, err := reference.ParseNormalizedNamed(rest)
		if err != nil {
			return usage("%q is not an image reference: %v", rest, err)
		}
		c.images[reference.TagNameOnly(ref).String()] = name
		c.attributes["context:"+name] = "docker-image://" + rest
	case hasScheme && scheme == "oci-layout":
		return c.addLayout(name, rest, folder)
	case hasScheme || strings.HasPrefix(value, "git@"):
		c.attributes["context:"+name] = value
	default:
		path := under(folder, value)
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			return usage("%s is not a folder", path)
		}
		c.locals["context-"+name] = path
		c.attributes["context:"+name] = "local:context-" + name
	}
	return nil
}

// addLayout serves an OCI layout on disk through the session; nothing but what the build needs is read from it.
func (c *contexts) addLayout(name, value, folder string) error {
	path, wanted := splitLayout(value)
	path = under(folder, path)
	sum, err := layoutDigest(path, wanted)
	if err != nil {
		return err
	}
	store, err := contentlocal.NewStore(path)
	if err != nil {
		return usage("%s: %v", path, err)
	}
	id := fmt.Sprintf("hallmark-context-%d", len(c.stores))
	c.stores[id] = store
	c.layouts[id] = layoutContext{name: name, path: path}
	c.attributes["context:"+name] = "oci-layout://" + id + "@" + sum
	return nil
}

// splitLayout separates PATH, PATH:TAG and PATH@DIGEST.
func splitLayout(value string) (path, wanted string) {
	if path, digest, found := strings.Cut(value, "@"); found {
		return path, digest
	}
	if i := strings.LastIndex(value, ":"); i > strings.LastIndex(value, "/") {
		return value[:i], value[i+1:]
	}
	return value, ""
}

// layoutDigest finds the image in the layout that wanted (a tag, a digest, or nothing) names.
func layoutDigest(path, wanted string) (string, error) {
	index, err := layout.ImageIndexFromPath(path)
	if err != nil {
		return "", usage("%s is not an OCI layout: %v", path, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", usage("%s is not an OCI layout: %v", path, err)
	}
	var found []string
	for _, entry := range manifest.Manifests {
		tag := entry.Annotations["org.opencontainers.image.ref.name"]
		if wanted == "" || wanted == entry.Digest.String() || wanted == tag || strings.HasSuffix(tag, ":"+wanted) {
			found = append(found, entry.Digest.String())
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && wanted != "":
		return "", usage("the OCI layout %s holds no image %q", path, wanted)
	case len(found) == 0:
		return "", usage("the OCI layout %s holds no image", path)
	default:
		return "", usage("the OCI layout %s holds %d images: say which with :TAG or @DIGEST", path, len(found))
	}
}

// describe turns a resolved reference back into what the options called it.
func (c contexts) describe(ref string) (name, shown string) {
	if id, found := strings.CutPrefix(ref, "oci-layout://"); found {
		if known, ok := c.layouts[id]; ok {
			return known.name, "oci-layout://" + known.path
		}
	}
	return c.images[ref], ref
}

func under(folder, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(folder, path)
}
