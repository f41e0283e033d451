package scan

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/scan/advisories"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// databaseFiles are trivy.db and metadata.json of a small database whose data are of day.
func databaseFiles(t testing.TB, day string) map[string][]byte {
	t.Helper()
	set, err := advisories.Parse(fmt.Appendf(nil, "updated: %s\nadvisories:\n"+
		"- {id: CVE-1, in: debian 12, package: apt, severity: low, title: t, published: 2026-01-01}\n", day))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := set.Write(dir); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, file := range []string{"trivy.db", "metadata.json"} {
		if files[file], err = os.ReadFile(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func archive(t testing.TB, headers []tar.Header, bodies [][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for i, header := range headers {
		if header.Typeflag == 0 {
			header.Typeflag = tar.TypeReg
		}
		if header.Size == 0 {
			header.Size = int64(len(bodies[i]))
		}
		header.Mode = 0o644
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bodies[i]); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close()
	_ = zipped.Close()
	return out.Bytes()
}

func databaseArchive(t testing.TB, day string) []byte {
	files := databaseFiles(t, day)
	return archive(t, []tar.Header{{Name: "trivy.db"}, {Name: "metadata.json"}}, [][]byte{files["trivy.db"], files["metadata.json"]})
}

// lab is a registry that can be switched off, and a client for it.
type lab struct {
	ref    string
	client *registry.Client
	off    atomic.Bool
	denied atomic.Bool
	blobs  atomic.Int64
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{}
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if l.off.Load() {
			panic(http.ErrAbortHandler)
		}
		if l.denied.Load() {
			http.Error(w, `{"errors":[{"code":"DENIED","message":"pull access denied"}]}`, http.StatusForbidden)
			return
		}
		if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/blobs/") {
			l.blobs.Add(1)
		}
		inner.ServeHTTP(w, req)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	l.ref = strings.TrimPrefix(server.URL, "http://") + "/aquasecurity/trivy-db:2"
	var err error
	if l.client, err = registry.New(registry.Options{MaxRetries: -1, Idle: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lab) push(t testing.TB, kind types.MediaType, body []byte) {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.aquasec.trivy.config.v1+json")
	img, err := mutate.Append(img, mutate.Addendum{Layer: static.NewLayer(body, kind), MediaType: kind})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(l.ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) open(t testing.TB, dir string, change ...func(*DatabaseOptions)) (*Database, error) {
	t.Helper()
	o := DatabaseOptions{From: l.ref, CacheDir: dir, MaxAge: 48 * time.Hour, Now: today}
	for _, c := range change {
		c(&o)
	}
	return OpenDatabase(t.Context(), l.client, o)
}

// wantError fails unless err is inconclusive with that code, and says what to do.
func wantError(t testing.TB, err error, code string) {
	t.Helper()
	judged := (*verdict.Error)(nil)
	if !errors.As(err, &judged) || judged.Code != code || judged.Remedy == "" || verdict.ExitCodeOf(err) != verdict.ExitInconclusive {
		t.Errorf("want an inconclusive %s with a remedy, got exit %d: %v", code, verdict.ExitCodeOf(err), err)
	}
}

func TestDatabaseIsPulledByDigestAndKept(t *testing.T) {
	t.Parallel()
	l, dir := newLab(t), t.TempDir()
	l.push(t, databaseLayer, databaseArchive(t, "2026-11-21"))
	first, err := l.open(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	if first.Info.Source != l.ref || !strings.HasPrefix(first.Info.Digest, "sha256:") || first.Info.UpdatedAt.Day() != 21 || first.Info.Note != "" {
		t.Errorf("%+v", first.Info)
	}
	fetched := l.blobs.Load()
	second, err := l.open(t, dir)
	if err != nil || second.Info.Digest != first.Info.Digest {
		t.Fatalf("%v %+v", err, second)
	}
	if l.blobs.Load() != fetched {
		t.Error("the kept digest was fetched again")
	}
	l.push(t, databaseLayer, databaseArchive(t, "2026-11-20"))
	third, err := l.open(t, dir)
	if err != nil || third.Info.Digest == first.Info.Digest {
		t.Errorf("a moved tag gave the old digest: %v", err)
	}
}

func TestUnreachableDatabaseIsInconclusive(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.off.Store(true)
	_, err := l.open(t, t.TempDir())
	wantError(t, err, CodeDatabaseUnreachable)
	_, err = l.open(t, t.TempDir(), func(o *DatabaseOptions) { o.Offline = true })
	wantError(t, err, CodeDatabaseUnreachable)
	_, err = OpenDatabase(t.Context(), nil, DatabaseOptions{CacheDir: t.TempDir()})
	wantError(t, err, CodeDatabaseUnreachable)
	// A public registry that denies is no mistake of the user's: rate limits and proxies say that, too.
	l.off.Store(false)
	l.denied.Store(true)
	_, err = l.open(t, t.TempDir())
	wantError(t, err, CodeDatabaseUnreachable)
	l.denied.Store(false)
	// The demonstration database is never a fallback; and a registry without the tag is unreachable as well.
	_, err = l.open(t, t.TempDir())
	wantError(t, err, CodeDatabaseUnreachable)
}

func TestKeptCopyServesWhileItIsFresh(t *testing.T) {
	t.Parallel()
	l, dir := newLab(t), t.TempDir()
	l.push(t, databaseLayer, databaseArchive(t, "2026-11-20"))
	first, err := l.open(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	l.off.Store(true)
	kept, err := l.open(t, dir)
	if err != nil || kept.Info.Digest != first.Info.Digest || !strings.Contains(kept.Info.Note, "kept copy") {
		t.Fatalf("%v %+v", err, kept)
	}
	if offline, err := l.open(t, dir, func(o *DatabaseOptions) { o.Offline = true }); err != nil || !strings.Contains(offline.Info.Note, "offline") {
		t.Errorf("%v %+v", err, offline)
	}
	_, err = l.open(t, dir, func(o *DatabaseOptions) { o.MaxAge = 24 * time.Hour })
	wantError(t, err, CodeDatabaseUnreachable)
	if !strings.Contains(err.Error(), "2026-11-20 is older than allowed") {
		t.Errorf("%v", err)
	}
	_, err = l.open(t, dir, func(o *DatabaseOptions) { o.MaxAge, o.Offline = 24*time.Hour, true })
	wantError(t, err, CodeDatabaseTooOld)
}

func TestOldDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.push(t, databaseLayer, databaseArchive(t, "2026-11-01"))
	_, err := l.open(t, t.TempDir())
	wantError(t, err, CodeDatabaseTooOld)
	if _, err := l.open(t, t.TempDir(), func(o *DatabaseOptions) { o.MaxAge = 0 }); err != nil {
		t.Error(err)
	}
}

func TestHostileArtifacts(t *testing.T) {
	t.Parallel()
	files := databaseFiles(t, "2026-11-21")
	good := databaseArchive(t, "2026-11-21")
	for what, test := range map[string]struct {
		kind types.MediaType
		body []byte
	}{
		"another kind":    {types.OCILayer, good},
		"no gzip":         {databaseLayer, []byte("<html>")},
		"damaged":         {databaseLayer, append(bytes.Clone(good[:len(good)/2]), bytes.Repeat([]byte{0xff}, len(good)/2)...)},
		"cut":             {databaseLayer, good[:len(good)/2]},
		"empty":           {databaseLayer, archive(t, nil, nil)},
		"no metadata":     {databaseLayer, archive(t, []tar.Header{{Name: "trivy.db"}}, [][]byte{files["trivy.db"]})},
		"another schema":  {databaseLayer, archive(t, []tar.Header{{Name: "trivy.db"}, {Name: "metadata.json"}}, [][]byte{files["trivy.db"], []byte(`{"Version":1}`)})},
		"no database":     {databaseLayer, archive(t, []tar.Header{{Name: "trivy.db"}, {Name: "metadata.json"}}, [][]byte{bytes.Repeat([]byte("x"), 9000), files["metadata.json"]})},
		"elsewhere":       {databaseLayer, archive(t, []tar.Header{{Name: "../trivy.db"}, {Name: "/metadata.json"}}, [][]byte{files["trivy.db"], files["metadata.json"]})},
		"a link":          {databaseLayer, archive(t, []tar.Header{{Name: "trivy.db", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, {Name: "metadata.json"}}, [][]byte{nil, files["metadata.json"]})},
		"too many":        {databaseLayer, archive(t, make([]tar.Header, 70), make([][]byte, 70))},
		"shortened pages": {databaseLayer, archive(t, []tar.Header{{Name: "trivy.db"}, {Name: "metadata.json"}}, [][]byte{files["trivy.db"][:8192], files["metadata.json"]})},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			l, dir := newLab(t), t.TempDir()
			l.push(t, test.kind, test.body)
			_, err := l.open(t, dir)
			judged := (*verdict.Error)(nil)
			if !errors.As(err, &judged) || verdict.ExitCodeOf(err) != verdict.ExitInconclusive {
				t.Errorf("%v", err)
			}
			left, _ := filepath.Glob(filepath.Join(dir, "*"))
			hidden, _ := filepath.Glob(filepath.Join(dir, ".new-*"))
			if len(left)+len(hidden) > 0 {
				t.Errorf("left behind: %v %v", left, hidden)
			}
		})
	}
	l := newLab(t)
	l.push(t, databaseLayer, good)
	_, err := l.open(t, t.TempDir(), func(o *DatabaseOptions) { o.Limits.Bytes = 1000 })
	wantError(t, err, CodeDatabaseBroken)
	if !strings.Contains(err.Error(), "more than 1000 bytes (limit Bytes)") {
		t.Errorf("%v", err)
	}
}

func TestDatabaseFromFiles(t *testing.T) {
	t.Parallel()
	dir, cache := t.TempDir(), t.TempDir()
	for file, body := range databaseFiles(t, "2026-11-21") {
		if err := os.WriteFile(filepath.Join(dir, file), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	packed := filepath.Join(t.TempDir(), "db.tar.gz")
	if err := os.WriteFile(packed, databaseArchive(t, "2026-11-21"), 0o644); err != nil {
		t.Fatal(err)
	}
	open := func(o DatabaseOptions) (*Database, error) {
		o.CacheDir, o.MaxAge, o.Now = cache, 48*time.Hour, today
		return OpenDatabase(t.Context(), nil, o)
	}
	for _, o := range []DatabaseOptions{{From: "file:" + dir}, {File: dir}, {File: packed}, {From: "file:" + packed}} {
		for range 2 {
			database, err := open(o)
			if err != nil || len(database.Info.Digest) != 71 || database.Info.Demo {
				t.Errorf("%+v: %v %+v", o, err, database)
			}
		}
	}
	for _, o := range []DatabaseOptions{{File: "/nowhere"}, {From: "demo", File: dir}} {
		if _, err := open(o); verdict.ExitCodeOf(err) != verdict.ExitUsage {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := OpenDatabase(t.Context(), nil, DatabaseOptions{From: "demo"}); verdict.ExitCodeOf(err) != verdict.ExitUsage {
		t.Errorf("without a folder: %v", err)
	}
	wantErrorOf := func(dir string) {
		_, err := open(DatabaseOptions{File: dir})
		wantError(t, err, CodeDatabaseBroken)
	}
	wantErrorOf(t.TempDir())
	text := filepath.Join(t.TempDir(), "readme")
	if err := os.WriteFile(text, []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantErrorOf(text)
	l := newLab(t)
	if _, err := l.open(t, cache, func(o *DatabaseOptions) { o.From = "not a reference" }); verdict.ExitCodeOf(err) != verdict.ExitUsage {
		t.Errorf("a malformed reference: %v", err)
	}
}

func TestStoreIsSharedAndPruned(t *testing.T) {
	t.Parallel()
	l, dir := newLab(t), t.TempDir()
	for _, day := range []string{"2026-11-19", "2026-11-20", "2026-11-21"} {
		l.push(t, databaseLayer, databaseArchive(t, day))
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if _, err := l.open(t, dir, func(o *DatabaseOptions) { o.MaxAge = 0 }); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	folders, _ := filepath.Glob(filepath.Join(dir, "sha256-*"))
	if len(folders) != keepDatabases {
		t.Errorf("%d copies are kept: %v", len(folders), folders)
	}
}

func TestCancelledPullIsAnInterruption(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := OpenDatabase(ctx, l.client, DatabaseOptions{From: l.ref, CacheDir: t.TempDir()})
	if verdict.ExitCodeOf(err) != verdict.ExitInterrupted {
		t.Errorf("%v", err)
	}
}

// Several scans at once share one process-wide handle of trivy's library, and must not mix up their databases.
func TestConcurrentScansKeepTheirDatabases(t *testing.T) {
	t.Parallel()
	o := options()
	contents := read(t, o, weak(t))
	dir := t.TempDir()
	for file, body := range databaseFiles(t, "2026-11-21") {
		if err := os.WriteFile(filepath.Join(dir, file), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	other, err := OpenDatabase(t.Context(), nil, DatabaseOptions{File: dir, CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	demo := demoDatabase(t)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			database, want := demo, verdict.Fail
			if i%2 == 0 {
				database, want = other, verdict.Pass
			}
			if r, err := Run(t.Context(), contents, database, o); err != nil || r.Verdict != want {
				t.Errorf("%v %+v", err, r)
			}
		})
	}
	group.Wait()
}

func FuzzUnpack(f *testing.F) {
	f.Add(databaseArchive(f, "2026-11-21"))
	f.Add(archive(f, []tar.Header{{Name: "../../trivy.db"}, {Name: "./metadata.json"}}, [][]byte{[]byte("a"), []byte("b")}))
	f.Fuzz(func(t *testing.T, body []byte) {
		dir := t.TempDir()
		err := unpack(bytes.NewReader(body), dir, ArchiveLimits{Bytes: 1 << 20}.withDefaults())
		left, _ := os.ReadDir(dir)
		for _, file := range left {
			if file.Name() != "trivy.db" && file.Name() != "metadata.json" {
				t.Errorf("wrote %s", file.Name())
			}
		}
		if err == nil && len(left) != 2 {
			t.Errorf("complete with %d files", len(left))
		}
		if err == nil {
			_ = probe(dir)
		}
	})
}
