package build

import (
	"context"
	"strings"
	"sync"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
)

// witness stands between the frontend and the engine and writes down which images are resolved, and to what.
type witness struct {
	gateway.Client
	mu    sync.Mutex
	bases []Base
	lines map[digest.Digest]lineRange // of the Dockerfile, by step

	file    *dockerfile
	refused error // what the engine was not even asked for
}

// ResolveSourceMetadata is what the frontend calls for each FROM and COPY --from.
func (w *witness) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	response, err := w.Client.ResolveSourceMetadata(ctx, op, opt)
	if err == nil && response.Image != nil {
		scheme, ref, _ := strings.Cut(op.Identifier, "://")
		w.record(scheme, ref, response.Image.Digest, opt)
	}
	return response, err
}

// ResolveImageConfig is what the frontend calls for named contexts.
func (w *witness) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	resolved, sum, config, err := w.Client.ResolveImageConfig(ctx, ref, opt)
	if err == nil {
		scheme := "docker-image"
		if opt.OCILayoutOpt != nil {
			scheme = "oci-layout"
		}
		w.record(scheme, ref, sum, opt)
	}
	return resolved, sum, config, err
}

func (w *witness) record(scheme, ref string, sum digest.Digest, opt sourceresolver.Opt) {
	base := Base{Ref: ref, Digest: sum.String()}
	if scheme == "oci-layout" && opt.OCILayoutOpt != nil {
		base.Ref = "oci-layout://" + opt.OCILayoutOpt.Store.StoreID
		base.Pinned = true // a folder's content is what it is; the digest was read from it just now
	}
	if named, err := reference.ParseNormalizedNamed(ref); err == nil && scheme != "oci-layout" {
		_, base.Pinned = named.(reference.Digested)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, known := range w.bases {
		if known.Ref == base.Ref && known.Digest == base.Digest {
			return
		}
	}
	w.bases = append(w.bases, base)
}

// named gives the recorded bases the names and lines that people know them by.
func (w *witness) named(file *dockerfile, args map[string]string, contexts contexts) []Base {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Base, 0, len(w.bases))
	for _, base := range w.bases {
		base.Context, base.Ref = contexts.describe(base.Ref)
		if base.Context != "" {
			base.Line = file.lineOf(base.Context, args)
		} else {
			base.Line = file.lineOf(base.Ref, args)
		}
		out = append(out, base)
	}
	return out
}
