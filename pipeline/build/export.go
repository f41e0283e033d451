package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	cerrdefs "github.com/containerd/errdefs"
	digest "github.com/opencontainers/go-digest"
)

// export receives what the engine exports: raw layers, configuration, manifest. It takes as little as it can: a blob
// that the layout has is refused as known; one that the engine on this machine has is given a second name instead of
// being copied.
type export struct {
	content.Store
	dir  string // on the layout's file system
	have func(digest.Digest) bool
	link func(digest, target string) bool
}

// scratch is the folder inside the layout that holds what the engine sends, for the length of a build. Readers of OCI
// layouts pass over it.
const scratch = ".hallmark-export"

// newExport makes an empty scratch store in the layout, under a name that starts with scratch. Remove it with close.
func newExport(layout layoutFolder, name string, have func(digest.Digest) bool, link func(digest, target string) bool) (*export, error) {
	dir := filepath.Join(string(layout), name)
	if err := os.RemoveAll(dir); err != nil { // of a build that was killed
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return nil, err
	}
	store, err := contentlocal.NewStore(dir)
	if err != nil {
		return nil, err
	}
	return &export{Store: store, dir: dir, have: have, link: link}, nil
}

func (e *export) close() { _ = os.RemoveAll(e.dir) }

// path is where a blob that came lies.
func (e *export) path(sum digest.Digest) string {
	return filepath.Join(e.dir, "blobs", sum.Algorithm().String(), sum.Encoded())
}

// Writer is what the engine asks for to send a blob.
func (e *export) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var want content.WriterOpts
	for _, opt := range opts {
		if err := opt(&want); err != nil {
			return nil, err
		}
	}
	if e.known(want.Desc.Digest) {
		return nil, cerrdefs.ErrAlreadyExists
	}
	return e.Store.Writer(ctx, opts...)
}

// Info is what the engine's side asks before it sends.
func (e *export) Info(ctx context.Context, sum digest.Digest) (content.Info, error) {
	if e.known(sum) {
		return content.Info{Digest: sum}, nil
	}
	return e.Store.Info(ctx, sum)
}

func (e *export) known(sum digest.Digest) bool {
	if sum.Validate() != nil || strings.ContainsAny(sum.Encoded(), "/.") {
		return false
	}
	return e.have(sum) || e.link(sum.String(), e.path(sum))
}
