package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// memory bounds the bytes of files that are in memory, and on the disk, for analyzers: for all layers of a read together.
type memory struct {
	*semaphore.Weighted
	disk     *semaphore.Weighted
	inMemory int64 // the largest file that is held in memory
}

func newMemory(limits Limits) *memory {
	return &memory{
		semaphore.NewWeighted(limits.MemoryBytes), semaphore.NewWeighted(limits.FileBytes), max(limits.MemoryBytes/8, 1),
	}
}

// bench runs the analyzers over the files of one layer, several files at once.
type bench struct {
	object    string
	analyzers []Analyzer
	limits    Limits
	memory    *memory
	temp      string
	group     *errgroup.Group
	ctx       context.Context //nolint:containedctx // the group's, for the time of one walk

	mu      sync.Mutex
	newest  map[string]int // by path of a wanted file, the index of the last entry of that path
	results map[string]map[string]json.RawMessage
}

func newBench(ctx context.Context, object string, r *Reader, m *memory) *bench {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	return &bench{
		object: object, analyzers: r.Analyzers, limits: r.Limits, memory: m, temp: r.Temp, group: group, ctx: ctx,
		newest: map[string]int{}, results: map[string]map[string]json.RawMessage{},
	}
}

// supersede makes entry index the one whose results count for file, if an earlier entry of that path was wanted.
func (b *bench) supersede(file string, index int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, wanted := b.newest[file]; !wanted {
		return
	}
	b.newest[file] = index
	for _, results := range b.results {
		delete(results, file)
	}
}

// wanting returns the analyzers that want the file.
func (b *bench) wanting(file string, info fs.FileInfo) (wanting []Analyzer) {
	for _, analyzer := range b.analyzers {
		if analyzer.Wants(file, info) {
			wanting = append(wanting, analyzer)
		}
	}
	return wanting
}

// work gives body to the analyzers, in the background. It returns once body has been read, and blocks while too many
// bytes or too many files are under way.
func (b *bench) work(index int, analyzers []Analyzer, file string, info fs.FileInfo, body io.Reader) error {
	size := info.Size()
	if size > b.limits.FileBytes {
		return overLimit(b.object, verdict.Place{File: file}, "file_bytes", b.limits.FileBytes,
			"%s wants the file, which is %d bytes long", analyzers[0].Key(), size)
	}
	b.mu.Lock()
	b.newest[file] = index
	b.mu.Unlock()
	held, release, err := b.hold(size, body)
	if err != nil {
		return err
	}
	held.Path, held.Info, held.Size = file, info, size
	b.group.Go(func() error {
		defer release()
		for _, analyzer := range analyzers {
			result, err := b.analyze(analyzer, held)
			if err != nil {
				return err
			}
			if len(result) > 0 {
				b.keep(index, file, analyzer.Key(), result)
			}
		}
		return nil
	})
	return nil
}

// hold brings body into memory, or into a temporary file where it is large.
func (b *bench) hold(size int64, body io.Reader) (File, func(), error) {
	if size > b.memory.inMemory {
		return b.spill(size, body)
	}
	if err := b.memory.Acquire(b.ctx, size); err != nil {
		return File{}, nil, err
	}
	buffer := make([]byte, size)
	if _, err := io.ReadFull(body, buffer); err != nil {
		b.memory.Release(size)
		return File{}, nil, err
	}
	return File{ReaderAt: bytes.NewReader(buffer), Bytes: buffer}, func() { b.memory.Release(size) }, nil
}

func (b *bench) spill(size int64, body io.Reader) (_ File, release func(), err error) {
	if err := b.memory.disk.Acquire(b.ctx, size); err != nil {
		return File{}, nil, err
	}
	release = func() { b.memory.disk.Release(size) }
	defer func() {
		if err != nil {
			release()
		}
	}()
	file, err := os.CreateTemp(b.temp, "hallmark-file-*")
	if err != nil {
		return File{}, nil, unreadable(b.object, fmt.Errorf("keeping a large file for the analyzers: %w", err))
	}
	_ = os.Remove(file.Name()) // gone with its last descriptor, whatever happens to this process
	release = func() {
		_ = file.Close()
		b.memory.disk.Release(size)
	}
	_, err = io.Copy(writerOnly{file, b.object}, body)
	return File{ReaderAt: file}, release, err
}

// writerOnly marks errors of the temporary file, so that a full disk is not taken for a bad image.
type writerOnly struct {
	file   *os.File
	object string
}

func (w writerOnly) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		err = unreadable(w.object, fmt.Errorf("keeping a large file for the analyzers: %w", err))
	}
	return n, err
}

// analyze runs one analyzer on one file. Analyzers parse foreign bytes with foreign code: a panic of theirs ends the
// read, not the program.
func (b *bench) analyze(analyzer Analyzer, file File) (result json.RawMessage, err error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if known := (*verdict.Error)(nil); err != nil && !errors.As(err, &known) &&
			!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			err = &verdict.Error{
				Verdict: verdict.Inconclusive, Code: CodeAnalyzer, Doing: "analyzing with " + analyzer.Key(),
				Object: clip("/"+file.Path) + " of " + b.object, Cause: err,
				Remedy: "Report this with the file; the image was not judged",
			}
		}
	}()
	return analyzer.Analyze(b.ctx, file)
}

func (b *bench) keep(index int, file, key string, result json.RawMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.newest[file] != index {
		return
	}
	if b.results[key] == nil {
		b.results[key] = map[string]json.RawMessage{}
	}
	b.results[key][file] = result
}

// wait ends when all files are analyzed.
func (b *bench) wait() error { return b.group.Wait() }
