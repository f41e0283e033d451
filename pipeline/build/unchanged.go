package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher/ignorefile"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
)

// stampName is the file in the layout that tells from what its candidate was built. It is taken away before a build and
// written after it, so that what it says is never about half a layout.
const stampName = ".hallmark-build.json"

// stampFormat changes when the fingerprint, the stamp, or what a build makes of the same inputs does.
const stampFormat = "2"

type stamp struct {
	Fingerprint string     `json:"fingerprint"`
	Candidate   *Candidate `json:"candidate"`
}

// ResolveFunc says which digest a reference in a registry stands for now.
type ResolveFunc func(ctx context.Context, ref string) (digest string, err error)

// Glance is what a build would start from, seen without reading any file of the context: sizes and times, as BuildKit
// compares them (here with the time of change, too).
type Glance struct {
	options     Options
	dated       *time.Time // the image's own date
	fingerprint string     // empty: it cannot be told without building
	err         error
}

// Look takes a glance. engine is which engine would build.
func Look(ctx context.Context, o Options, engine string) Glance {
	o, err := o.check()
	if err != nil {
		return Glance{err: err}
	}
	seen := Glance{options: o, dated: imageEpoch(ctx, o)}
	seen.fingerprint, seen.err = fingerprint(ctx, o, engine, seen.dated)
	return seen
}

// Unchanged returns the candidate of the last build into the same layout if building again could only make the same one:
// options, Dockerfile and files are as they were, every base that is named by tag still stands for the same digest, and
// the layout is whole. Whatever is not known to be unchanged is not; nor is what another build writes to just now. Release
// the candidate.
func (g Glance) Unchanged(ctx context.Context, resolve ResolveFunc) (*Candidate, bool) {
	if g.err != nil || g.fingerprint == "" || g.options.NoCache || len(g.options.CacheTo) > 0 {
		return nil, false
	}
	layout := layoutFolder(g.options.Layout)
	last, found := layout.last()
	if !found || last.Fingerprint != g.fingerprint {
		return nil, false
	}
	for _, base := range last.Candidate.Bases {
		if base.Pinned {
			continue
		}
		if got, err := resolve(ctx, base.Ref); err != nil || got != base.Digest {
			return nil, false
		}
	}
	// Only now is the folder taken, for looking may have taken a while. Another build may have come in between.
	lock, err := layout.open(ctx, unchangedWait)
	if err != nil {
		return nil, false
	}
	defer lock.Close()
	if still, found := layout.last(); !found || still.Fingerprint != g.fingerprint || still.Candidate.Digest != last.Candidate.Digest {
		return nil, false
	}
	last.Candidate.CachedSteps = last.Candidate.TotalSteps
	candidate, err := layout.lend(last.Candidate)
	return candidate, err == nil
}

// unchangedWait is how long to wait for the folder of an unchanged image. A build takes longer, and what comes of it has
// to be looked at anew.
const unchangedWait = 400 * time.Millisecond

// last is the stamp of the last build, if what it made is still whole.
func (l layoutFolder) last() (stamp, bool) {
	var last stamp
	text, err := os.ReadFile(filepath.Join(string(l), stampName))
	if err != nil || json.Unmarshal(text, &last) != nil || last.Candidate == nil {
		return last, false
	}
	_, whole := l.blobsOf(last.Candidate.Digest)
	return last, whole
}

// remember writes the stamp. That it cannot be written costs time, not truth: the next run builds again.
func (l layoutFolder) remember(fingerprint string, c *Candidate) {
	if fingerprint == "" {
		return
	}
	if text, err := json.Marshal(stamp{fingerprint, c}); err == nil {
		_ = replace(filepath.Join(string(l), stampName), text)
	}
}

func (l layoutFolder) forget() { _ = os.Remove(filepath.Join(string(l), stampName)) }

// fingerprint is a digest of all that a build depends on, but for what references in registries stand for. It is empty
// where that cannot be told without building.
func fingerprint(ctx context.Context, o Options, engine string, dated *time.Time) (string, error) {
	file, err := readDockerfile(o.Dockerfile)
	if err != nil || file.fetches() {
		return "", err
	}
	named, err := resolveContexts(o.Contexts, o.Context)
	if err != nil {
		return "", err
	}
	for name := range o.Contexts {
		if attribute := named.attributes["context:"+name]; !strings.HasPrefix(attribute, "local:") &&
			!strings.HasPrefix(attribute, "oci-layout:") && !strings.HasPrefix(attribute, "docker-image:") {
			return "", nil // an archive or a repository elsewhere
		}
	}
	sum := sha256.New()
	settings, err := json.Marshal([]any{
		stampFormat, engine, o.Context, attributes(o, named), o.Compression, o.SourceDateEpoch, o.CacheFrom, file.lines,
		slices.Sorted(maps.Keys(o.Secrets)),
	})
	if err != nil {
		return "", err
	}
	sum.Write(settings)
	if dated != nil {
		fmt.Fprintf(sum, "dated %d\n", dated.Unix())
	}
	if err := addFolder(ctx, sum, o.Context, file.path); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(o.Contexts)) {
		if _, local := named.locals["context-"+name]; local {
			if err := addFolder(ctx, sum, under(o.Context, o.Contexts[name]), ""); err != nil {
				return "", err
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// fetches says whether a build step reads what an address on the network answers, which may be something else each time.
func (d *dockerfile) fetches() bool {
	for _, stage := range d.stages {
		for _, command := range stage.Commands {
			add, is := command.(*instructions.AddCommand)
			if !is || add.Checksum != "" {
				continue
			}
			if slices.ContainsFunc(add.SourcePaths, func(p string) bool {
				return strings.Contains(p, "://") || strings.HasPrefix(p, "git@") || strings.Contains(p, "$")
			}) {
				return true
			}
		}
	}
	return false
}

// addFolder writes down what the build would see of a folder. dockerfile is that of the main context, beside which an
// ignore file may stand.
func addFolder(ctx context.Context, sum hash.Hash, folder, dockerfile string) error {
	excluded, err := ignored(sum, folder, dockerfile)
	if err != nil {
		return err
	}
	return fsutil.WalkDir(ctx, folder, &fsutil.FilterOpt{ExcludePatterns: excluded}, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		seen, err := look(filepath.Join(folder, path))
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%q %s\n", path, seen)
		return nil
	})
}

// ignored are the patterns of the folder's ignore file: the Dockerfile's own one, else .dockerignore.
func ignored(sum hash.Hash, folder, dockerfile string) ([]string, error) {
	candidates := []string{filepath.Join(folder, ".dockerignore")}
	if dockerfile != "" {
		candidates = append([]string{dockerfile + ".dockerignore"}, candidates...)
	}
	for _, path := range candidates {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		fmt.Fprintf(sum, "%q\n", text)
		return ignorefile.ReadAll(strings.NewReader(string(text)))
	}
	return nil, nil
}

// blobsOf lists the blobs of an image or index, itself included. They are whole if all of them are there in their full
// size.
func (l layoutFolder) blobsOf(root string) (all []digest.Digest, whole bool) {
	var node struct {
		Config    *ocispecs.Descriptor  `json:"config"`
		Layers    []ocispecs.Descriptor `json:"layers"`
		Manifests []ocispecs.Descriptor `json:"manifests"`
	}
	sum := digest.Digest(root)
	if sum.Validate() != nil || sum.Algorithm() != digest.SHA256 {
		return nil, false
	}
	text, err := os.ReadFile(l.path(sum))
	if err != nil || json.Unmarshal(text, &node) != nil {
		return nil, false
	}
	all = []digest.Digest{sum}
	for _, manifest := range node.Manifests {
		below, whole := l.blobsOf(manifest.Digest.String())
		if !whole {
			return nil, false
		}
		all = append(all, below...)
	}
	blobs := node.Layers
	if node.Config != nil {
		blobs = append(blobs, *node.Config)
	}
	for _, blob := range blobs {
		if blob.Digest.Validate() != nil || blob.Digest.Algorithm() != digest.SHA256 {
			return nil, false
		}
		if info, err := os.Stat(l.path(blob.Digest)); err != nil || info.Size() != blob.Size {
			return nil, false
		}
		all = append(all, blob.Digest)
	}
	return all, true
}
