package build

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/platforms"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Options says what is to be built. Context and Layout are needed; the zero value of the others is a usable default.
type Options struct {
	Context    string // folder whose files the Dockerfile may copy
	Dockerfile string // path; relative ones start at Context. Empty: Dockerfile
	Target     string // stage; empty: the last
	// Layout is the folder that becomes (or is) the OCI layout of the latest candidate. It is this room's own: what that
	// one does not need is dropped from it. One build at a time writes to it; see Candidate.Layout for what stays.
	Layout string
	// Wait bounds the wait for another build into Layout. 0: lock.DefaultWait.
	Wait      time.Duration
	Platforms []string              // "linux/amd64"; empty: the engine's own; several: the candidate is an index
	Args      map[string]string     // build arguments
	Labels    map[string]string     // added to the image's configuration
	Secrets   map[string]secret.Ref // by the id that RUN --mount=type=secret names
	// Contexts are further sources, by the name that FROM and --from use: "docker-image://REF", "oci-layout://PATH"
	// (with :TAG or @DIGEST where the layout has several images), a git or http URL, or a folder.
	Contexts  map[string]string
	NoCache   bool
	CacheFrom []Cache
	CacheTo   []Cache
	// SourceDateEpoch is the date of the image and the latest of its own files; nil: see epoch.go.
	SourceDateEpoch *time.Time
	Compression     Compression
	// Glance is one that was taken for this very build; nil: it takes its own.
	Glance *Glance
	// Credentials for registries that the build pulls from; nil: anonymous.
	Credentials engine.CredentialsFunc
}

// Cache is a place of BuildKit's build cache, for example {"local", {"dest": "…"}} to write or {"local", {"src": "…"}}
// to read. Types: local and registry.
type Cache struct {
	Type  string
	Attrs map[string]string
}

// Compression is how layers that the build makes are compressed. Layers of base images stay as they are.
type Compression string

const (
	Gzip Compression = "gzip" // the default: every registry and runtime reads it
	Zstd Compression = "zstd" // smaller and faster; needs Docker 23, containerd 1.5 or later to run
	None Compression = "none"
)

// check fills defaults in and refuses what cannot work, before an engine is asked.
func (o Options) check() (Options, error) {
	var err error
	if o.Layout == "" {
		return o, usage("no folder was given for the build's result")
	}
	if o.Layout, err = filepath.Abs(o.Layout); err != nil {
		return o, usage("the folder for the build's result: %v", err)
	}
	if o.Context == "" {
		return o, usage("no build context was given: name the folder that holds the Dockerfile")
	}
	if o.Context, err = filepath.Abs(o.Context); err != nil {
		return o, usage("the build context: %v", err)
	}
	if info, err := os.Stat(o.Context); err != nil {
		return o, usage("the build context %s: %v", o.Context, errors.Unwrap(err))
	} else if !info.IsDir() {
		return o, usage("the build context %s is not a folder", o.Context)
	}
	if o.Dockerfile == "" {
		o.Dockerfile = "Dockerfile"
	}
	if !filepath.IsAbs(o.Dockerfile) {
		o.Dockerfile = filepath.Join(o.Context, o.Dockerfile)
	}
	for _, ignore := range []string{filepath.Join(o.Context, ".dockerignore"), o.Dockerfile + ".dockerignore"} {
		if info, err := os.Stat(ignore); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return o, usage("%s is no regular file, and would be waited for: put a text in its place", ignore)
		}
	}
	switch o.Compression {
	case "":
		o.Compression = Gzip
	case Gzip, Zstd, None:
	default:
		return o, usage("compression %q is none of gzip, zstd, none", o.Compression)
	}
	for _, platform := range o.Platforms {
		if _, err := platforms.Parse(platform); err != nil {
			return o, usage("platform %q: %v", platform, err)
		}
	}
	for id, ref := range o.Secrets {
		if err := ref.Check(); err != nil {
			return o, fmt.Errorf("the build secret %q: %w", id, err)
		}
	}
	for _, cache := range append(append([]Cache{}, o.CacheFrom...), o.CacheTo...) {
		if cache.Type != "local" && cache.Type != "registry" {
			return o, usage("build cache of type %q: only local and registry are supported", cache.Type)
		}
	}
	for name := range o.Args {
		if name == "BUILDKIT_SYNTAX" {
			return o, usage("the build argument BUILDKIT_SYNTAX would replace the Dockerfile frontend, which is built in. Remove it")
		}
		if name == "" || strings.ContainsAny(name, "= ") {
			return o, usage("the build argument %q is not a name", name)
		}
	}
	return o, nil
}

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{verdict.ErrUsage}, args...)...)
}
