package engine

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/containerd/containerd/v2/core/diff"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/containerd/typeurl/v2"
	"github.com/klauspost/pgzip"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layers of bases are mostly gzip. Containerd unpacks them with Go's own reader, or with a program called unpigz if the
// machine has one; this one is quicker, the same on every machine, and inflates while files are being written.
const (
	inflateBlock  = 1 << 20
	inflateBlocks = 4
)

var useInflater = sync.OnceFunc(func() { diff.RegisterProcessor(inflater) })

// inflater is for containerd's list of processors: the last that was registered is asked first.
func inflater(ctx context.Context, mediaType string) (diff.StreamProcessorInit, bool) {
	if kind, err := images.DiffCompression(ctx, mediaType); err != nil || kind != "gzip" {
		return nil, false
	}
	return func(_ context.Context, stream diff.StreamProcessor, _ map[string]typeurl.Any) (diff.StreamProcessor, error) {
		body, err := inflate(stream)
		return inflated{body}, err
	}, true
}

// inflate believes the bytes, not the media type: there are images whose layers are something else than they say.
func inflate(stream io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(stream, inflateBlock)
	if magic, err := buffered.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return pgzip.NewReaderN(buffered, inflateBlock, inflateBlocks)
	}
	return compression.DecompressStream(buffered)
}

type inflated struct{ io.ReadCloser }

// MediaType is what comes out.
func (inflated) MediaType() string { return ocispecs.MediaTypeImageLayer }
