package scan

import (
	"archive/tar"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	bolt "go.etcd.io/bbolt"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// ArchiveLimits bounds a database archive. A zero field takes its default.
type ArchiveLimits struct {
	// Bytes is how large the unpacked database may be. Default 8 GiB; the public one is about 1 GiB.
	Bytes int64
	// Files is how many entries the archive may have. Default 64; real ones have two.
	Files int
}

func (l ArchiveLimits) withDefaults() ArchiveLimits {
	if l.Bytes == 0 {
		l.Bytes = 8 << 30
	}
	if l.Files == 0 {
		l.Files = 64
	}
	return l
}

// errArchive marks an archive that is not what it should be, as against one that could not be read to its end.
var errArchive = errors.New("not a usable database archive")

func badArchive(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errArchive, fmt.Errorf(format, args...))
}

// damaged says whether err is about an archive's bytes.
func damaged(err error) bool {
	corrupt := flate.CorruptInputError(0)
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, tar.ErrHeader) ||
		errors.As(err, &corrupt)
}

// unpack writes trivy.db and metadata.json of a gzipped tar into dir. Every other entry is left out: names are never
// taken from the archive, so none can point elsewhere.
func unpack(archive io.Reader, dir string, limits ArchiveLimits) error {
	inflated, err := gzip.NewReader(archive)
	switch {
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, io.EOF):
		return badArchive("it is not gzip")
	case err != nil:
		return err
	}
	entries := tar.NewReader(inflated)
	left := limits.Bytes
	seen := map[string]bool{}
	for count := 0; ; count++ {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if damaged(err) {
			return badArchive("it is damaged: %w", err)
		}
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		if count >= limits.Files {
			return badArchive("it has more than %d entries (limit Files)", limits.Files)
		}
		if left -= header.Size; left < 0 || header.Size < 0 {
			return badArchive("it holds more than %d bytes (limit Bytes)", limits.Bytes)
		}
		name := path.Clean(header.Name)
		if header.Typeflag != tar.TypeReg || name != "trivy.db" && name != "metadata.json" || seen[name] {
			continue
		}
		seen[name] = true
		if err := writeFile(filepath.Join(dir, name), entries); damaged(err) {
			return badArchive("%s in it is damaged: %w", name, err)
		} else if err != nil {
			return fmt.Errorf("unpacking %s: %w", name, err)
		}
	}
	for _, name := range []string{"trivy.db", "metadata.json"} {
		if !seen[name] {
			return badArchive("it holds no %s", name)
		}
	}
	return nil
}

func writeFile(path string, body io.Reader) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, body)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// readOnly lets any number of processes read one file: bbolt then takes a shared lock.
func readOnly() *bolt.Options {
	return &bolt.Options{ReadOnly: true, Timeout: 10 * time.Second}
}

// probe checks that a folder's trivy.db opens, is whole and holds vulnerabilities.
func probe(dir string) (err error) {
	defer survive(&err)()
	file, err := bolt.Open(db.Path(dir), 0o644, readOnly())
	if err != nil {
		return fmt.Errorf("trivy.db cannot be opened: %w", err)
	}
	defer file.Close()
	info, err := os.Stat(db.Path(dir))
	if err != nil {
		return verdict.WithoutPath(err)
	}
	return file.View(func(tx *bolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("trivy.db is cut off: %d of %d bytes are there", info.Size(), tx.Size())
		}
		if tx.Bucket([]byte("vulnerability")) == nil {
			return errors.New("trivy.db holds no vulnerabilities")
		}
		return nil
	})
}

// survive turns what a damaged database does to bbolt, which reads it through mapped memory, into an error: a panic, or a
// fault that would end the whole program. Use it as defer survive(&err)().
func survive(err *error) func() {
	before := debug.SetPanicOnFault(true) // of this goroutine
	return func() {
		debug.SetPanicOnFault(before)
		if cause := recover(); cause != nil {
			*err = fmt.Errorf("trivy.db is damaged: %v", cause)
		}
	}
}
