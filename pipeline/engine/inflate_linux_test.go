package engine

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/containerd/containerd/v2/core/diff"
	"github.com/klauspost/compress/zstd"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestLayersAreInflated(t *testing.T) {
	t.Parallel()
	useInflater()
	plain := make([]byte, 2<<20)
	for i := range plain {
		plain[i] = byte(rand.IntN(7))
	}
	gzipped := func(body []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(body)
		_ = w.Close()
		return out.Bytes()
	}
	packed := gzipped(plain)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, mediaType string
		body            []byte
		fails           bool
	}{
		{"gzip", ocispecs.MediaTypeImageLayerGzip, packed, false},
		{"Docker's name for it", "application/vnd.docker.image.rootfs.diff.tar.gzip", packed, false},
		{"several members", ocispecs.MediaTypeImageLayerGzip, append(gzipped(plain[:100]), gzipped(plain[100:])...), false},
		{"zstd that calls itself gzip", ocispecs.MediaTypeImageLayerGzip, encoder.EncodeAll(plain, nil), false},
		{"cut off", ocispecs.MediaTypeImageLayerGzip, packed[:len(packed)/2], true},
		{"spoilt", ocispecs.MediaTypeImageLayerGzip, append(append([]byte{}, packed[:len(packed)-6]...), 1, 2, 3, 4, 5, 6), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stream, err := diff.GetProcessor(t.Context(), diff.NewProcessorChain(c.mediaType, bytes.NewReader(c.body)), nil)
			var got []byte
			if err == nil {
				if _, mine := stream.(inflated); !mine {
					t.Errorf("the stream is a %T", stream)
				}
				got, err = io.ReadAll(stream)
				_ = stream.Close()
			}
			if (err != nil) != c.fails || err == nil && !bytes.Equal(got, plain) {
				t.Errorf("%d bytes, error %v", len(got), err)
			}
		})
	}
}
