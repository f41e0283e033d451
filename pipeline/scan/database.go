package scan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Where a database comes from when nothing else is said, and the word that asks for the project's own one.
const (
	DefaultDatabase = "ghcr.io/aquasecurity/trivy-db:2"
	DemoDatabase    = "demo"
)

// Codes of the errors of OpenDatabase. None is ever the image's fault.
const (
	CodeDatabaseUnreachable = "scan.database-unreachable"
	CodeDatabaseTooOld      = "scan.database-too-old"
	CodeDatabaseBroken      = "scan.database-broken"
)

// DatabaseOptions says where the vulnerability database is.
type DatabaseOptions struct {
	// From is a reference ("ghcr.io/aquasecurity/trivy-db:2", also by digest), "file:PATH" of a folder or a tar.gz
	// archive with trivy.db and metadata.json, or "demo" for the project's own few advisories. Empty is DefaultDatabase.
	From string
	// File is a path, as "file:PATH" in From; only one of the two may be set.
	File string
	// CacheDir keeps databases between runs, one folder a digest. Several processes may share it.
	CacheDir string
	// MaxAge is how old a database may be, by its own date. Zero does not ask.
	MaxAge time.Duration
	// Offline takes a kept copy without asking the registry.
	Offline bool
	// Limits bounds a downloaded or given archive.
	Limits ArchiveLimits
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// DatabaseInfo identifies a database in reports and evidence.
type DatabaseInfo struct {
	// Source is what was asked for: a reference, "file:PATH" or "demo".
	Source string `json:"source"`
	// Digest is of the artifact's manifest, of the archive, of the folder's trivy.db, or of the demonstration
	// advisories: "sha256:…".
	Digest string `json:"digest"`
	// UpdatedAt is the date of the data, by the database's own word.
	UpdatedAt time.Time `json:"updated_at"`
	// Demo says that this is the demonstration database. Whoever shows a result must show Note with it.
	Demo bool `json:"demo,omitempty"`
	// Note is a sentence that people must not miss.
	Note string `json:"note,omitempty"`
}

// Database is a vulnerability database on disk, ready to be matched against. It needs no closing.
type Database struct {
	Info DatabaseInfo
	dir  string // holds trivy.db
}

// Registry is what OpenDatabase needs of a registry client.
type Registry interface {
	Resolve(ctx context.Context, ref string) (subject.Subject, error)
	Image(ctx context.Context, s subject.Subject) (v1.Image, error)
}

// OpenDatabase returns the database that o asks for: a fresh copy, or a kept one of the same digest. When the registry
// cannot be reached, a kept copy younger than MaxAge serves, and Info.Note says so. registry may be nil for files and
// for the demonstration database.
func OpenDatabase(ctx context.Context, registry Registry, o DatabaseOptions) (*Database, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Limits = o.Limits.withDefaults()
	if o.File != "" {
		if o.From != "" {
			return nil, fmt.Errorf("%w: the vulnerability database is given twice, as %s and as the file %s: keep one",
				verdict.ErrUsage, o.From, o.File)
		}
		o.From = "file:" + o.File
	}
	if o.From == "" {
		o.From = DefaultDatabase
	}
	if o.CacheDir == "" {
		return nil, fmt.Errorf("%w: opening the vulnerability database needs a folder to keep it in", verdict.ErrUsage)
	}
	kept := store{dir: o.CacheDir, limits: o.Limits}
	if o.From == DemoDatabase {
		return openDemo(kept)
	}
	var (
		db  *Database
		err error
	)
	if path, local := strings.CutPrefix(o.From, "file:"); local {
		db, err = kept.local(path)
	} else {
		db, err = pull(ctx, registry, kept, o)
	}
	if err != nil {
		return nil, err
	}
	if err := fresh(db.Info, o); err != nil {
		return nil, err
	}
	progress.From(ctx).Notef("vulnerability database %s of %s (%s)", subject.Short(db.Info.Digest),
		db.Info.UpdatedAt.UTC().Format(time.DateOnly), db.Info.Source)
	return db, nil
}

// fresh refuses a database that is older than allowed: it would call an image clean that is not.
func fresh(info DatabaseInfo, o DatabaseOptions) error {
	age := o.Now().Sub(info.UpdatedAt)
	if o.MaxAge <= 0 || age <= o.MaxAge {
		return nil
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeDatabaseTooOld,
		Doing: "checking the age of the vulnerability database", Object: info.Source,
		Cause: fmt.Errorf("its data are of %s, %s old; at most %s is allowed",
			info.UpdatedAt.UTC().Format(time.DateOnly), days(age), days(o.MaxAge)),
		Remedy: "Provide a newer copy, or raise scan.database.max_age if you accept findings as of that day",
	}
}

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// pull resolves the reference to a digest and takes that digest's database, from the store where it is.
func pull(ctx context.Context, registry Registry, kept store, o DatabaseOptions) (*Database, error) {
	if o.Offline {
		if db := kept.newest(o.From); db != nil {
			db.Info.Note = "the registry was not asked: this run is offline"
			return db, nil
		}
		return nil, unreachable(o.From, errors.New("this run is offline and no copy is kept"))
	}
	if registry == nil {
		return nil, unreachable(o.From, errors.New("there is no registry client"))
	}
	db, err := fetch(ctx, registry, kept, o.From)
	if err == nil {
		return db, nil
	}
	if errors.Is(err, context.Canceled) {
		return nil, err
	}
	judged := (*verdict.Error)(nil)
	if !errors.As(err, &judged) && errors.Is(err, verdict.ErrUsage) {
		return nil, fmt.Errorf("fetching the vulnerability database: %w", err) // a malformed reference
	}
	// A kept copy is as good as on the day it was taken; its age is judged like any other's.
	old := kept.newest(o.From)
	if old == nil {
		return nil, unreachable(o.From, err)
	}
	old.Info.Note = "the registry could not be reached; a kept copy was used"
	if tooOld := fresh(old.Info, o); tooOld != nil {
		return nil, unreachable(o.From, fmt.Errorf("%w (and the kept copy of %s is older than allowed)", err,
			old.Info.UpdatedAt.UTC().Format(time.DateOnly)))
	}
	progress.From(ctx).Warnf("The vulnerability database %s could not be fetched (%v); the kept copy of %s is used.",
		o.From, err, old.Info.UpdatedAt.UTC().Format(time.DateOnly))
	return old, nil
}

func unreachable(from string, cause error) error {
	if already := (*verdict.Error)(nil); errors.As(cause, &already) && already.Code == CodeDatabaseBroken {
		return cause
	}
	// A public registry says "denied" for much that is not the user's mistake: a rate limit, a proxy, a mirror without
	// the artifact. The text stays, the blame does not.
	if errors.Is(cause, verdict.ErrUsage) {
		cause = errors.New(cause.Error())
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeDatabaseUnreachable,
		Doing: "fetching the vulnerability database", Object: from, Cause: cause,
		Remedy: "Run again when the registry can be reached (what was done so far is kept), name a mirror in " +
			"scan.database.from, or give a copy with file:PATH",
	}
}

func broken(source string, cause error) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeDatabaseBroken,
		Doing: "opening the vulnerability database", Object: source, Cause: cause,
		Remedy: "Fetch it anew, or check that it is a trivy database of schema 2 (trivy.db and metadata.json)",
	}
}
