package build

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
	"github.com/moby/buildkit/util/converter/tarconverter"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/singleflight"
)

// refiner turns raw layers into those of the candidate: dated, compressed, and named by what they then are. What it
// has done it notes in the layout, so that the same raw layer need not even be sent by the engine again.
type refiner struct {
	layout      layoutFolder
	compression Compression
	mu          sync.Mutex
	done        map[string]refined
	used        map[string]bool
	turning     singleflight.Group // by key: a layer may be wanted early and at the end
}

// refined is one layer that was turned.
type refined struct {
	Digest digest.Digest `json:"digest"`
	DiffID digest.Digest `json:"diff_id"`
	Size   int64         `json:"size"`
}

// notes is the file in the layout that remembers; readers of OCI layouts pass over it.
const notes = ".hallmark-layers.json"

func newRefiner(layout layoutFolder, compression Compression) *refiner {
	r := &refiner{layout: layout, compression: compression, done: map[string]refined{}, used: map[string]bool{}}
	if text, err := os.ReadFile(filepath.Join(string(layout), notes)); err == nil {
		if json.Unmarshal(text, &r.done) != nil {
			r.done = map[string]refined{} // a damaged note costs time, nothing else
		}
	}
	return r
}

// key is everything that the outcome depends on. The number is to be raised when the code below makes other bytes.
func (r *refiner) key(raw digest.Digest, epoch time.Time) string {
	return fmt.Sprintf("1 %s %d %s", raw, epoch.Unix(), r.compression)
}

// known says whether raw was turned before and the outcome is still there.
func (r *refiner) known(raw digest.Digest, epoch time.Time) (refined, bool) {
	return r.noted(r.key(raw, epoch))
}

// refine turns the raw layer at path, unless that was done before.
func (r *refiner) refine(ctx context.Context, path string, raw digest.Digest, epoch time.Time) (refined, error) {
	found, err := r.once(r.key(raw, epoch), func() (refined, error) { return r.turn(ctx, path, epoch) })
	if err != nil {
		return refined{}, fmt.Errorf("compressing the layer %s: %w", raw, err)
	}
	return found, nil
}

// once does what the notes do not know as done, and notes it.
func (r *refiner) once(key string, turn func() (refined, error)) (refined, error) {
	made, err, _ := r.turning.Do(key, func() (any, error) {
		if found, ok := r.noted(key); ok {
			return found, nil
		}
		return turn()
	})
	if err != nil {
		return refined{}, err
	}
	found, _ := made.(refined)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[key], r.used[key] = found, true
	return found, nil
}

func (r *refiner) turn(ctx context.Context, path string, epoch time.Time) (refined, error) {
	return r.compress(ctx, path, func(raw io.Reader) io.ReadCloser {
		return tarconverter.NewReader(raw, func(header *tar.Header) { clamp(header, epoch); plain(header) })
	})
}

// compress makes a blob of the layer at path, as change reads it.
func (r *refiner) compress(ctx context.Context, path string, change func(io.Reader) io.ReadCloser) (refined, error) {
	source, err := os.Open(path)
	if err != nil {
		return refined{}, err
	}
	defer source.Close()
	changed := change(bufio.NewReaderSize(source, 1<<20))
	defer changed.Close()

	blob, err := r.layout.create()
	if err != nil {
		return refined{}, err
	}
	defer blob.discard()
	compressor, err := r.compressor(blob)
	if err != nil {
		return refined{}, err
	}
	diff := sha256.New()
	if _, err := io.Copy(io.MultiWriter(compressor, diff), &cancelable{ctx: ctx, reader: changed}); err != nil {
		return refined{}, err
	}
	if err := compressor.Close(); err != nil {
		return refined{}, err
	}
	sum, size, err := blob.keep()
	return refined{Digest: sum, DiffID: sumOf(diff), Size: size}, err
}

// clamp gives no file a later date than epoch.
func clamp(header *tar.Header, epoch time.Time) {
	for _, date := range []*time.Time{&header.ModTime, &header.AccessTime, &header.ChangeTime} {
		if date.After(epoch) {
			*date = epoch
		}
	}
}

func (r *refiner) mediaType() string {
	switch r.compression {
	case Zstd:
		return ocispecs.MediaTypeImageLayerZstd
	case None:
		return ocispecs.MediaTypeImageLayer
	default:
		return ocispecs.MediaTypeImageLayerGzip
	}
}

// compressor writes the same bytes whatever the number of processors.
func (r *refiner) compressor(to io.Writer) (io.WriteCloser, error) {
	switch r.compression {
	case Zstd:
		return zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	case None:
		return nopCloser{to}, nil
	default:
		return pgzip.NewWriter(to), nil
	}
}

type nopCloser struct{ io.Writer }

// Close does nothing.
func (nopCloser) Close() error { return nil }

// cancelable ends a long copy when ctx does.
type cancelable struct {
	ctx    context.Context
	reader io.Reader
}

// Read reads until ctx ends.
func (c *cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.reader.Read(p)
}

// remember writes down what the present candidate uses; the rest is forgotten with its blobs.
func (r *refiner) remember() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := map[string]refined{}
	for key := range r.used {
		kept[key] = r.done[key]
	}
	text, err := json.MarshalIndent(kept, "", " ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(string(r.layout), notes), text)
}

func sumOf(h hash.Hash) digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(h.Sum(nil)))
}
