package engine

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tonistiigi/fsutil"
)

func pacedFolder(t *testing.T, files int) *paced {
	t.Helper()
	dir := t.TempDir()
	for n := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%04d", n)), []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := fsutil.NewFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := newPaced(folder)
	p.ahead, p.quiet, p.start = 10, 2*time.Second, 2*time.Second
	return p
}

// The listing stays at most `ahead` files before a reader that asks for every file.
func TestListingKeepsPace(t *testing.T) {
	t.Parallel()
	const files = 200
	p := pacedFolder(t, files)
	wanted := make(chan string, files)
	var listed, read, most atomic.Int64
	done := make(chan error, 1)
	go func() {
		for path := range wanted {
			most.Store(max(most.Load(), listed.Load()-read.Load()))
			file, err := p.Open(path)
			if err == nil {
				_, err = io.Copy(io.Discard, file)
				read.Add(1)
				_ = file.Close()
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	if err := p.Walk(t.Context(), "/", func(path string, entry fs.DirEntry, err error) error {
		listed.Add(1)
		wanted <- path
		return err
	}); err != nil {
		t.Fatal(err)
	}
	close(wanted)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if listed.Load() != files || most.Load() > int64(p.ahead)+1 {
		t.Errorf("%d files listed, up to %d before they were read; want %d, at most %d", listed.Load(), most.Load(), files, p.ahead+1)
	}
}

// Files that nobody asks for hold the listing up for a moment, not for ever.
func TestListingDoesNotWaitForTheUnwanted(t *testing.T) {
	t.Parallel()
	const files = 200
	p := pacedFolder(t, files)
	p.quiet, p.start = 10*time.Millisecond, 10*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	listed := 0
	if err := p.Walk(ctx, "/", func(_ string, _ fs.DirEntry, err error) error {
		listed++
		return err
	}); err != nil || listed != files {
		t.Errorf("%d files listed (%v), want %d", listed, err, files)
	}
}

func TestListingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := pacedFolder(t, 50)
	p.quiet, p.start = time.Hour, time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Walk(ctx, "/", func(_ string, _ fs.DirEntry, err error) error { return err }); err == nil {
		t.Error("the walk ended as if all had been read")
	}
}
