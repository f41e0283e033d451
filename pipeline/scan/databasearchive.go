package scan

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	bolt "go.etcd.io/bbolt"
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

// unpack writes trivy.db and metadata.json of a gzipped tar into dir. Every other entry is left out: names are never
// taken from the archive, so none can point elsewhere.
func unpack(archive io.Reader, dir string, limits ArchiveLimits) error {
	inflated, err := gzip.NewReader(archive)
	if err != nil {
		return fmt.Errorf("the archive is not gzip: %w", err)
	}
	entries := tar.NewReader(inflated)
	left := limits.Bytes
	seen := map[string]bool{}
	for count := 0; ; count++ {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the archive is damaged: %w", err)
		}
		if count >= limits.Files {
			return fmt.Errorf("the archive has more than %d entries (limit Files)", limits.Files)
		}
		if left -= header.Size; left < 0 {
			return fmt.Errorf("the archive holds more than %d bytes (limit Bytes)", limits.Bytes)
		}
		name := path.Clean(header.Name)
		if header.Typeflag != tar.TypeReg || name != "trivy.db" && name != "metadata.json" || seen[name] {
			continue
		}
		seen[name] = true
		if err := writeFile(filepath.Join(dir, name), entries); err != nil {
			return err
		}
	}
	for _, name := range []string{"trivy.db", "metadata.json"} {
		if !seen[name] {
			return fmt.Errorf("the archive holds no %s", name)
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

// probe checks that a folder's trivy.db opens and holds vulnerabilities. A truncated file can make bbolt panic.
func probe(dir string) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("trivy.db is damaged: %v", cause)
		}
	}()
	file, err := bolt.Open(db.Path(dir), 0o644, readOnly())
	if err != nil {
		return fmt.Errorf("trivy.db cannot be opened: %w", err)
	}
	defer file.Close()
	return file.View(func(tx *bolt.Tx) error {
		if tx.Bucket([]byte("vulnerability")) == nil {
			return errors.New("trivy.db holds no vulnerabilities")
		}
		return nil
	})
}
