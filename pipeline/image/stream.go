package image

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const (
	chunkSize = 512 << 10
	// chunks is how many chunks may be decompressed ahead of whoever reads.
	chunks = 4
	// zstdWindow is the largest window that zstd's own tool writes unless forced (--long=27).
	zstdWindow = 128 << 20
)

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// stream is a layer's tar stream: decompressed in a goroutine ahead of the reader, bounded and hashed.
type stream struct {
	object string
	limits Limits
	source *countingReader
	closer io.Closer
	hash   hash.Hash

	full   chan chunk // decompressed, in order
	free   chan []byte
	stop   chan struct{}
	done   chan struct{} // closed when the goroutine has ended
	rest   []byte        // of the chunk being read
	buffer []byte        // the chunk being read, to be given back
	err    error
	total  int64 // uncompressed bytes read so far

	task *progress.Task // told of every chunk
	size int64          // of the blob
}

type chunk struct {
	data []byte
	err  error // after data
}

// countingReader counts what is read of a blob, and remembers the source's own error: an error of the decompressor
// blames the image, an error of the source does not.
type countingReader struct {
	io.Reader
	count atomic.Int64
	err   error
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.count.Add(int64(n))
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// openStream takes over blob. Close must be called.
func openStream(ctx context.Context, object string, blob io.ReadCloser, limits Limits) (*stream, error) {
	s := &stream{
		object: object, limits: limits, source: &countingReader{Reader: blob}, closer: blob, hash: sha256.New(),
		full: make(chan chunk, chunks), free: make(chan []byte, chunks),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	// A blocked read of a slow source ends when its blob is closed.
	unhook := context.AfterFunc(ctx, func() { _ = blob.Close() })
	plain, err := s.decompress()
	if err != nil {
		unhook()
		_ = blob.Close()
		if ctx.Err() != nil {
			err = unreadable(object, ctx.Err())
		}
		return nil, err
	}
	for range chunks {
		s.free <- make([]byte, chunkSize)
	}
	go func() {
		defer close(s.done)
		defer unhook()
		defer close(s.full)
		defer plain.Close()
		s.pump(ctx, plain)
	}()
	return s, nil
}

// decompress finds out how the blob is compressed by its first bytes, as container runtimes do: media types lie.
func (s *stream) decompress() (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(s.source, 256<<10)
	magic, err := buffered.Peek(6)
	if err != nil && err != io.EOF {
		return nil, s.blame(err)
	}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		r, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, s.blame(err)
		}
		return r, nil
	case bytes.HasPrefix(magic, zstdMagic),
		len(magic) >= 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18}):
		r, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, s.blame(err)
		}
		return r.IOReadCloser(), nil
	case bytes.HasPrefix(magic, []byte("BZh")), bytes.HasPrefix(magic, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return nil, malformed(s.object, verdict.Place{}, "its compression is none of gzip, zstd and none, which is all that image layers may have")
	default:
		return io.NopCloser(buffered), nil
	}
}

// pump decompresses until the end, an error, a limit, or a stop.
func (s *stream) pump(ctx context.Context, plain io.Reader) {
	var total int64
	for {
		var buffer []byte
		select {
		case buffer = <-s.free:
		case <-s.stop:
			return
		case <-ctx.Done():
			select {
			case s.full <- chunk{err: unreadable(s.object, ctx.Err())}:
			case <-s.stop:
			}
			return
		}
		n, err := fill(plain, buffer)
		total += int64(n)
		switch {
		case err == io.EOF:
		case err != nil:
			if err = s.blame(err); ctx.Err() != nil {
				err = unreadable(s.object, ctx.Err()) // the blob was closed under the read
			}
		default:
			err = s.judge(total)
		}
		select {
		case s.full <- chunk{buffer[:n], err}:
		case <-s.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// fill reads until buffer is full or r errs. Unlike io.ReadFull it keeps a decompressor's ErrUnexpectedEOF, for a
// stream that was cut off, apart from a last chunk that is merely short.
func fill(r io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var m int
		m, err = r.Read(buffer[n:])
		n += m
	}
	return n, err
}

func (s *stream) judge(total int64) error {
	if total > s.limits.LayerBytes {
		return overLimit(s.object, verdict.Place{}, "layer_bytes", s.limits.LayerBytes, "the layer is longer than allowed when uncompressed")
	}
	if stored := s.source.count.Load(); total > s.limits.RatioFloor && total/max(stored, 1) > s.limits.Ratio {
		return overLimit(s.object, verdict.Place{}, "ratio", s.limits.Ratio,
			"the first %d bytes became %d, as in a decompression bomb", stored, total)
	}
	return nil
}

// blame turns an error on the way from the blob to its tar stream into one that says whose fault it is.
func (s *stream) blame(err error) error {
	if known := (*verdict.Error)(nil); errors.As(err, &known) {
		return err
	}
	if s.source.err != nil {
		return unreadable(s.object, s.source.err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return unreadable(s.object, err)
	}
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return overLimit(s.object, verdict.Place{}, "of the zstd window", zstdWindow, "its zstd window is too large")
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return malformed(s.object, verdict.Place{}, "its compressed data ends in the middle")
	}
	return malformed(s.object, verdict.Place{}, "its compressed data is damaged: %v", err)
}

func (s *stream) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.buffer != nil {
			s.free <- s.buffer[:cap(s.buffer)]
			s.buffer = nil
		}
		next, ok := <-s.full
		if !ok {
			s.err = fmt.Errorf("reading %s after its end: %w", s.object, io.ErrClosedPipe)
			continue
		}
		s.hash.Write(next.data)
		s.total += int64(len(next.data))
		s.task.Advance(min(s.source.count.Load(), s.size), s.size)
		s.buffer, s.rest, s.err = next.data, next.data, next.err
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// finish reads what stands behind the tar's end (padding), and compares the whole with the diff id.
func (s *stream) finish(diffID string) error {
	if _, err := io.Copy(io.Discard, s); err != nil {
		return err
	}
	if got := "sha256:" + hex.EncodeToString(s.hash.Sum(nil)); got != diffID {
		return malformed(s.object, verdict.Place{Layer: diffID},
			"the layer's content has the digest %s, but the configuration promises %s", got, diffID)
	}
	return nil
}

// Close ends the goroutine and closes the blob.
func (s *stream) Close() error {
	close(s.stop)
	err := s.closer.Close()
	<-s.done
	return err
}
