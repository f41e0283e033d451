package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// UploadStats is what an upload had to do. Bytes are compressed, as they go over the wire.
type UploadStats struct {
	Sent         int   `json:"sent"`
	Skipped      int   `json:"skipped"` // the repository had them
	Mounted      int   `json:"mounted"` // taken over from another repository of the registry
	BytesSent    int64 `json:"bytes_sent"`
	BytesSkipped int64 `json:"bytes_skipped"` // skipped and mounted
}

// Upload puts the image's blobs, layers and configuration, into the repository: no manifest, no tag. What is there
// already is not sent again. Blobs stream from where img has them, a few at a time, so memory stays flat.
// Layers that may not be distributed are left where their URLs point.
func (c *Client) Upload(ctx context.Context, img v1.Image, repository string) (UploadStats, error) {
	repo, err := c.repository(repository)
	if err != nil {
		return UploadStats{}, err
	}
	blobs, total, err := blobsOf(img)
	if err != nil {
		return UploadStats{}, fmt.Errorf("reading the image that is to be uploaded to %s: %w", repo.Name(), err)
	}
	var count counters
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.options.Parallel)
	above := progress.From(ctx)
	for _, blob := range blobs {
		group.Go(func() error {
			upload := &blobUpload{client: c, repo: repo, blob: blob, count: &count, moved: func() {
				above.Advance(count.bytesSent.Load()+count.bytesSkipped.Load(), total)
			}}
			return upload.run(ctx)
		})
	}
	err = group.Wait()
	return count.stats(), err
}

// blob is one thing to upload.
type blob struct {
	v1.Layer
	digest v1.Hash
	size   int64
}

// blobsOf lists the image's blobs once each, largest first known order kept: layers, then the configuration.
func blobsOf(img v1.Image) (blobs []blob, total int64, err error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, 0, err
	}
	config, err := partial.ConfigLayer(img)
	if err != nil {
		return nil, 0, err
	}
	seen := map[v1.Hash]bool{}
	for _, layer := range append(layers, config) {
		mediaType, mediaErr := layer.MediaType()
		digest, digestErr := layer.Digest()
		size, sizeErr := layer.Size()
		if err := errors.Join(mediaErr, digestErr, sizeErr); err != nil {
			return nil, 0, err
		}
		if seen[digest] || !distributable(mediaType) {
			continue
		}
		seen[digest] = true
		total += size
		blobs = append(blobs, blob{Layer: layer, digest: digest, size: size})
	}
	return blobs, total, nil
}

func distributable(mediaType types.MediaType) bool { return mediaType.IsDistributable() }

// counters are UploadStats that several goroutines write.
type counters struct {
	sent, skipped, mounted, bytesSent, bytesSkipped atomic.Int64
}

func (c *counters) stats() UploadStats {
	return UploadStats{
		Sent: int(c.sent.Load()), Skipped: int(c.skipped.Load()), Mounted: int(c.mounted.Load()),
		BytesSent: c.bytesSent.Load(), BytesSkipped: c.bytesSkipped.Load(),
	}
}

// created says whether a status ends an upload well.
func created(status int) bool {
	return status == http.StatusCreated || status == http.StatusNoContent
}
