package registry

import (
	"context"
	"errors"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// Image opens the subject for reading. Layers stream from the registry, under ctx, when they are read.
func (c *Client) Image(ctx context.Context, s subject.Subject) (v1.Image, error) {
	ref, err := c.digest(s)
	if err != nil {
		return nil, err
	}
	img, err := remote.Image(ref, c.RemoteOptions(ctx)...)
	return img, c.Explain(err, "reading", s.String())
}

// Index opens the subject, a multi-platform index, for reading.
func (c *Client) Index(ctx context.Context, s subject.Subject) (v1.ImageIndex, error) {
	ref, err := c.digest(s)
	if err != nil {
		return nil, err
	}
	index, err := remote.Index(ref, c.RemoteOptions(ctx)...)
	return index, c.Explain(err, "reading", s.String())
}

func (c *Client) digest(s subject.Subject) (name.Digest, error) {
	repo, err := c.repository(s.Repository)
	if err != nil {
		return name.Digest{}, err
	}
	return repo.Digest(s.Digest), nil
}

// Referrers lists what refers to the subject: by the referrers API, or by the tag that stands in for it.
func (c *Client) Referrers(ctx context.Context, s subject.Subject) ([]v1.Descriptor, error) {
	ref, err := c.digest(s)
	if err != nil {
		return nil, err
	}
	const doing = "listing what refers to"
	index, err := remote.Referrers(ref, c.RemoteOptions(ctx)...)
	if err != nil {
		return nil, c.Explain(err, doing, s.String())
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, answerError(doing, s.String(), "the list cannot be read: %w", err)
	}
	return manifest.Manifests, nil
}
