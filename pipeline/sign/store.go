package sign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// pile is a heap of blobs that goes up as an image's would: in parallel, with retries and progress.
type pile struct {
	v1.Image
	layers []v1.Layer
}

func newPile(layers ...v1.Layer) pile { return pile{Image: empty.Image, layers: layers} }

func (p pile) Layers() ([]v1.Layer, error)    { return p.layers, nil }
func (p pile) ConfigLayer() (v1.Layer, error) { return emptyConfig(), nil }

// emptyConfig is the configuration of an artifact that has none: "{}".
func emptyConfig() v1.Layer { return static.NewLayer([]byte("{}"), typeEmpty) }

func describe(layer v1.Layer, annotations map[string]string) (v1.Descriptor, error) {
	digest, digestErr := layer.Digest()
	size, sizeErr := layer.Size()
	mediaType, typeErr := layer.MediaType()
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size, Annotations: annotations}, errors.Join(digestErr, sizeErr, typeErr)
}

// artifact is a manifest that refers to an image. v1.Manifest lacks the artifact type.
type artifact struct {
	v1.Manifest
	ArtifactType string `json:"artifactType,omitempty"`
}

// newArtifact makes the manifest that ties layer to the image, and the entry that a list of referrers has for it.
func newArtifact(image v1.Descriptor, layer v1.Layer, artifactType string, annotations map[string]string) (registry.Manifest, v1.Descriptor, error) {
	config, err := describe(emptyConfig(), nil)
	if err != nil {
		return registry.Manifest{}, v1.Descriptor{}, err
	}
	content, err := describe(layer, nil)
	if err != nil {
		return registry.Manifest{}, v1.Descriptor{}, err
	}
	raw, err := json.Marshal(artifact{ArtifactType: artifactType, Manifest: v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{content},
		Subject: &image, Annotations: annotations,
	}})
	if err != nil {
		return registry.Manifest{}, v1.Descriptor{}, err
	}
	manifest := registry.Manifest{Type: types.OCIManifestSchema1, Bytes: raw}
	digest, err := v1.NewHash(manifest.Digest())
	return manifest, v1.Descriptor{
		MediaType: manifest.Type, Digest: digest, Size: int64(len(raw)), ArtifactType: artifactType, Annotations: annotations,
	}, err
}

// contentOf returns the one layer of a manifest that refers to the image at.
func contentOf(m registry.Manifest, at subject.Subject) (v1.Descriptor, error) {
	var a artifact
	if err := json.Unmarshal(m.Bytes, &a); err != nil {
		return v1.Descriptor{}, reject(CodeMalformed, "its manifest cannot be read: %w", err)
	}
	switch {
	case a.Subject == nil:
		return v1.Descriptor{}, reject(CodeSubject, "its manifest refers to no image")
	case a.Subject.Digest.String() != at.Digest:
		return v1.Descriptor{}, reject(CodeSubject, "its manifest refers to another image, %s", subject.Short(a.Subject.Digest.String()))
	case len(a.Layers) != 1:
		return v1.Descriptor{}, reject(CodeMalformed, "its manifest has %d layers, not one", len(a.Layers))
	}
	return a.Layers[0], nil
}

// blob reads a blob of at most limit bytes and checks it against its digest.
func blob(ctx context.Context, c *registry.Client, repository string, d v1.Descriptor, limit int64) ([]byte, error) {
	if d.Size > limit || d.Size < 0 {
		return nil, reject(CodeTooLarge, "it has %d bytes, more than the limit of %d", d.Size, limit)
	}
	object := repository + "@" + d.Digest.String()
	ref, err := name.NewDigest(object, nameOptions(c, repository)...)
	if err != nil {
		return nil, reject(CodeMalformed, "its digest cannot be read: %w", err)
	}
	const doing = "reading the blob"
	layer, err := remote.Layer(ref, c.RemoteOptions(ctx)...)
	if err != nil {
		return nil, c.Explain(err, doing, object)
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, c.Explain(err, doing, object)
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, d.Size+1))
	if err != nil {
		return nil, c.Explain(err, doing, object)
	}
	if int64(len(data)) != d.Size || subject.DigestOf(data) != d.Digest.String() {
		return nil, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: registry.CodeAnswer, Doing: doing, Object: object,
			Cause:  errors.New("what the registry sent is not what the digest says"),
			Remedy: "Check what stands between here and the registry; if its store is damaged, delete this blob there",
		}
	}
	return data, nil
}

func nameOptions(c *registry.Client, repository string) []name.Option {
	host, _, _ := strings.Cut(repository, "/")
	return c.NameOptions(host)
}

// found is false, with no error, where the tag is not there.
func manifestAt(ctx context.Context, c *registry.Client, repository, tag string) (m registry.Manifest, digest string, found bool, err error) {
	digest, found, err = c.Head(ctx, repository, tag)
	if err != nil || !found {
		return registry.Manifest{}, "", false, err
	}
	m, err = c.Manifest(ctx, subject.Subject{Repository: repository, Digest: digest})
	if errors.Is(err, registry.ErrNotFound) { // deleted between the two requests
		return registry.Manifest{}, "", false, nil
	}
	return m, digest, err == nil, err
}

// derived is the tag that cosign, and the referrers' stand-in, derive from a digest.
func derived(at subject.Subject, suffix string) string {
	return strings.Replace(at.Digest, ":", "-", 1) + suffix
}

// rejection is the error of something that was found and does not count.
type rejection struct {
	code string
	err  error
}

func (r *rejection) Error() string { return r.err.Error() }
func (r *rejection) Unwrap() error { return r.err }

func reject(code, format string, args ...any) error {
	return &rejection{code: code, err: fmt.Errorf(format, args...)}
}

// rejected says whether err is about what was found, not about the way to it: then it rejects that one thing. What the
// registry garbled is not held against the image.
func rejected(err error) (code, reason string, ok bool) {
	var r *rejection
	switch {
	case errors.As(err, &r):
		return r.code, r.Error(), true
	case errors.Is(err, registry.ErrNotFound):
		return CodeGone, "it is listed, but the registry does not have it", true
	}
	return "", "", false
}

// clip is foreign text, short enough for a reason.
func clip(text string) string { return foreign.Short(text, 160) }

// newestFirst orders the entries of a list of referrers by when they say that they were made.
func newestFirst(all []v1.Descriptor) {
	slices.SortStableFunc(all, func(a, b v1.Descriptor) int {
		if c := strings.Compare(b.Annotations[noteCreated], a.Annotations[noteCreated]); c != 0 {
			return c
		}
		return strings.Compare(a.Digest.String(), b.Digest.String())
	})
}
