package engine

import (
	"context"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/tonistiigi/fsutil"
)

// paced is a folder whose listing does not run far ahead of its content. BuildKit's receiver asks for each new file as
// soon as it hears of it, and keeps a goroutine until the file has come: a context of a hundred thousand files would
// take hundreds of megabytes there, all of them waiting.
type paced struct {
	fsutil.FS
	ahead int           // files that may be listed and not yet read
	quiet time.Duration // so long nothing is read, and what is listed is not wanted
	start time.Duration // the same for a folder of which nothing was read yet: most builds find it unchanged

	mu      sync.Mutex
	listed  int
	read    time.Time // when content was last asked for
	changed chan struct{}
}

const (
	pacedAhead = 1000
	pacedQuiet = time.Second
	pacedStart = 50 * time.Millisecond
)

func newPaced(folder fsutil.FS) *paced {
	return &paced{FS: folder, ahead: pacedAhead, quiet: pacedQuiet, start: pacedStart, changed: make(chan struct{}, 1)}
}

// Walk lists the folder.
func (p *paced) Walk(ctx context.Context, target string, fn fs.WalkDirFunc) error {
	p.mu.Lock()
	p.read = time.Now().Add(p.start - p.quiet)
	p.mu.Unlock()
	return p.FS.Walk(ctx, target, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry != nil && entry.Type().IsRegular() {
			if err := p.wait(ctx); err != nil {
				return err
			}
		}
		return fn(path, entry, err)
	})
}

// wait lets one more file be listed. It never waits for a file that nobody asks for: those of an older copy that the
// receiver has, or that .dockerignore leaves out.
func (p *paced) wait(ctx context.Context) error {
	for {
		p.mu.Lock()
		if p.listed < p.ahead {
			p.listed++
			p.mu.Unlock()
			return nil
		}
		left := time.Until(p.read.Add(p.quiet))
		if left <= 0 {
			p.listed = 0
			p.mu.Unlock()
			continue
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.changed:
		case <-time.After(left):
		}
	}
}

// Open opens a file for sending.
func (p *paced) Open(path string) (io.ReadCloser, error) {
	p.touch(0)
	file, err := p.FS.Open(path)
	if err != nil {
		p.touch(1)
		return nil, err
	}
	return &pacedFile{ReadCloser: file, folder: p}, nil
}

// touch notes that content is being asked for, and that done files have been read.
func (p *paced) touch(done int) {
	p.mu.Lock()
	p.read = time.Now()
	p.listed = max(p.listed-done, 0)
	p.mu.Unlock()
	if done > 0 {
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
}

type pacedFile struct {
	io.ReadCloser
	folder *paced
	once   sync.Once
}

// Read reads on.
func (f *pacedFile) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	f.folder.touch(0)
	return n, err
}

// Close tells that the file has been sent.
func (f *pacedFile) Close() error {
	f.once.Do(func() { f.folder.touch(1) })
	return f.ReadCloser.Close()
}
