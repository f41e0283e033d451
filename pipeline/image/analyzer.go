package image

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
)

// Analyzer looks at single files while a layer is walked. Its results are kept with the layer in the cache.
// All methods must be safe for concurrent use.
type Analyzer interface {
	// Key is the analyzer's name, version and settings: whatever changes its results must change its key.
	Key() string
	// Wants says whether Analyze is to see the file. It is asked of every regular file and must be cheap.
	// path is clean and relative to the root, without leading slash. A hard link is not asked for: its file is, once, under
	// the path that the layer gives it first.
	Wants(path string, info fs.FileInfo) bool
	// Analyze returns what is to be kept of the file; nil is nothing. An error ends the whole read: return one only
	// for what the surroundings did. A file that cannot be parsed is a result, or nothing.
	Analyze(ctx context.Context, file File) (json.RawMessage, error)
}

// File is one regular file's body, whole, for the time of one Analyze call.
type File struct {
	Path string // clean, relative to the root, without leading slash
	Info fs.FileInfo
	Size int64
	// ReaderAt is the whole body: in memory, or a temporary file where it is large.
	ReaderAt io.ReaderAt
	// Bytes is the whole body where it is in memory, else nil. It must be neither changed nor kept.
	Bytes []byte
}

// Reader returns a fresh reader of the whole body.
func (f File) Reader() *io.SectionReader { return io.NewSectionReader(f.ReaderAt, 0, f.Size) }
