package scan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/metadata"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// databaseLayer is the media type of a trivy database inside an OCI artifact.
const databaseLayer = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"

// keepDatabases is how many copies of one source are kept; a full one is about a gigabyte.
const keepDatabases = 2

// store is the folder of kept databases: one folder a digest, with trivy.db, metadata.json and origin.json. A folder
// appears whole, by a rename, so that several processes may share the store.
type store struct {
	dir    string
	limits ArchiveLimits
}

// origin is what the store itself knows of a copy.
type origin struct {
	Source  string    `json:"source"`
	Digest  string    `json:"digest"`
	Fetched time.Time `json:"fetched"`
}

const originFile = "origin.json"

func (s store) folder(digest string) string {
	return filepath.Join(s.dir, strings.ReplaceAll(digest, ":", "-"))
}

// open returns the kept database of that digest, or nil.
func (s store) open(source, digest string) *Database {
	database, err := openFolder(s.folder(digest), source, digest)
	if err != nil {
		return nil
	}
	return database
}

// openFolder checks a folder with trivy.db and metadata.json.
func openFolder(dir, source, digest string) (*Database, error) {
	meta, err := metadata.NewClient(dir).Get()
	if err != nil {
		return nil, fmt.Errorf("metadata.json cannot be read: %w", err)
	}
	if meta.Version != db.SchemaVersion {
		return nil, fmt.Errorf("it has schema %d, and schema %d is needed", meta.Version, db.SchemaVersion)
	}
	if _, err := os.Stat(db.Path(dir)); err != nil {
		return nil, errors.New("trivy.db is missing")
	}
	return &Database{dir: dir, Info: DatabaseInfo{Source: source, Digest: digest, UpdatedAt: meta.UpdatedAt}}, nil
}

// newest returns the youngest kept copy that came from source, or nil.
func (s store) newest(source string) *Database {
	copies := s.copies(source)
	if len(copies) == 0 {
		return nil
	}
	return copies[0]
}

// copies lists what is kept of a source, the youngest data first.
func (s store) copies(source string) []*Database {
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return nil
	}
	var all []*Database
	for _, folder := range folders {
		if strings.HasPrefix(folder.Name(), ".") { // being written
			continue
		}
		text, err := os.ReadFile(filepath.Join(s.dir, folder.Name(), originFile))
		if err != nil {
			continue
		}
		var from origin
		if json.Unmarshal(text, &from) != nil || from.Source != source {
			continue
		}
		if database, err := openFolder(filepath.Join(s.dir, folder.Name()), source, from.Digest); err == nil {
			all = append(all, database)
		}
	}
	slices.SortStableFunc(all, func(a, b *Database) int { return b.Info.UpdatedAt.Compare(a.Info.UpdatedAt) })
	return all
}

// put lets fill write a database into a new folder and keeps it under digest.
func (s store) put(source, digest string, fill func(dir string) error) (*Database, error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp(s.dir, ".new-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary)
	if err := fill(temporary); err != nil {
		return nil, err
	}
	if _, err := openFolder(temporary, source, digest); err != nil {
		return nil, broken(source, err)
	}
	if err := probe(temporary); err != nil {
		return nil, broken(source, err)
	}
	text, err := json.Marshal(origin{Source: source, Digest: digest, Fetched: time.Now().UTC()})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(temporary, originFile), text, 0o644); err != nil {
		return nil, err
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return nil, err
	}
	folder := s.folder(digest)
	if err := os.Rename(temporary, folder); err != nil {
		// Another process may have kept the same digest meanwhile; a folder that does not open is replaced.
		if database := s.open(source, digest); database != nil {
			return database, nil
		}
		if err := os.RemoveAll(folder); err != nil {
			return nil, err
		}
		if err := os.Rename(temporary, folder); err != nil {
			return nil, err
		}
	}
	s.prune(source)
	return openFolder(folder, source, digest)
}

// abandoned is the age from which a folder that is being written belongs to a process that was killed.
const abandoned = 24 * time.Hour

// prune deletes older copies of a source, and what killed processes left. A process that reads a deleted copy keeps
// its open file.
func (s store) prune(source string) {
	unfinished, _ := filepath.Glob(filepath.Join(s.dir, ".new-*"))
	for _, folder := range unfinished {
		if info, err := os.Stat(folder); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.RemoveAll(folder)
		}
	}
	copies := s.copies(source)
	for _, database := range copies[min(len(copies), keepDatabases):] {
		_ = os.RemoveAll(database.dir)
	}
}

// fetch resolves ref and returns its database, downloading it unless that digest is kept.
func fetch(ctx context.Context, registry Registry, kept store, ref string) (*Database, error) {
	found, err := registry.Resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	if database := kept.open(ref, found.Digest); database != nil {
		return database, nil
	}
	ctx, task := progress.Start(ctx, "vulnerability database %s", subject.Short(found.Digest))
	database, err := download(ctx, registry, kept, ref, found)
	task.End(err)
	return database, err
}

func download(ctx context.Context, registry Registry, kept store, ref string, found subject.Subject) (*Database, error) {
	artifact, err := registry.Image(ctx, found)
	if err != nil {
		return nil, err
	}
	layer, err := databaseLayerOf(artifact)
	if err != nil {
		return nil, broken(ref, err)
	}
	size, err := layer.Size()
	if err != nil {
		return nil, err
	}
	return kept.put(ref, found.Digest, func(dir string) error {
		body, err := layer.Compressed() // checked against its digest while it is read
		if err != nil {
			return err
		}
		defer body.Close()
		counted := &counter{from: body, total: size, task: progress.From(ctx)}
		if err := unpack(counted, dir, kept.limits); errors.Is(err, errArchive) {
			return broken(ref, err)
		} else if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, counted) // to the end, so that the digest is checked
		return err
	})
}

func databaseLayerOf(artifact v1.Image) (v1.Layer, error) {
	layers, err := artifact.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		if kind, err := layer.MediaType(); err == nil && kind == databaseLayer {
			return layer, nil
		}
	}
	return nil, fmt.Errorf("the artifact holds no layer of type %s", databaseLayer)
}

type counter struct {
	from  io.Reader
	read  int64
	total int64
	shown int64
	task  *progress.Task
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.read += int64(n)
	if c.read-c.shown > 1<<20 || err != nil {
		c.shown = c.read
		c.task.Advance(c.read, c.total)
	}
	return n, err
}

// local opens a folder in place, or keeps what an archive holds.
func (s store) local(path string) (*Database, error) {
	source := "file:" + path
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: opening the vulnerability database %s: %w", verdict.ErrUsage, source, verdict.WithoutPath(err))
	}
	if info.IsDir() {
		if _, err := openFolder(path, source, ""); err != nil {
			return nil, broken(source, err)
		}
		digest, err := s.folderDigest(path)
		if err != nil {
			return nil, broken(source, err)
		}
		if err := probe(path); err != nil {
			return nil, broken(source, err)
		}
		return openFolder(path, source, digest)
	}
	digest, err := fileDigest(path)
	if err != nil {
		return nil, broken(source, err)
	}
	if database := s.open(source, digest); database != nil {
		return database, nil
	}
	return s.put(source, digest, func(dir string) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := unpack(file, dir, s.limits); err != nil {
			return broken(source, err)
		}
		return nil
	})
}

// folderDigest is the digest of a folder's trivy.db. Hashing a gigabyte takes a second, so the answer is remembered
// for as long as the file's name, size and time stay the same.
func (s store) folderDigest(dir string) (string, error) {
	path, err := filepath.Abs(db.Path(dir))
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d", path, info.Size(), info.ModTime().UnixNano()))
	remembered := filepath.Join(s.dir, ".folder-"+hex.EncodeToString(sum[:16]))
	if text, err := os.ReadFile(remembered); err == nil && len(text) == len("sha256:")+64 {
		return string(text), nil
	}
	digest, err := fileDigest(path)
	if err != nil {
		return "", err
	}
	if os.MkdirAll(s.dir, 0o755) == nil {
		_ = os.WriteFile(remembered, []byte(digest), 0o644)
	}
	return digest, nil
}

func fileDigest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", verdict.WithoutPath(err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}
