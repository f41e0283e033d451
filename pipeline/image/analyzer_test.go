package image_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// lengths notes the length of every .txt file.
type lengths struct {
	key   string
	calls atomic.Int64
	err   error
	panic bool
}

func (l *lengths) Key() string {
	if l.key == "" {
		return "lengths 1"
	}
	return l.key
}

func (l *lengths) Wants(file string, info fs.FileInfo) bool {
	if info.Size() < 0 || !info.Mode().IsRegular() {
		panic("analyzers see regular files only")
	}
	return path.Ext(file) == ".txt"
}

func (l *lengths) Analyze(_ context.Context, file image.File) (json.RawMessage, error) {
	l.calls.Add(1)
	if l.panic {
		panic("cannot happen")
	}
	if l.err != nil {
		return nil, l.err
	}
	body, err := io.ReadAll(file.Reader())
	if err != nil || int64(len(body)) != file.Size || (file.Bytes != nil && string(file.Bytes) != string(body)) {
		return nil, fmt.Errorf("body of %d bytes instead of %d: %w", len(body), file.Size, err)
	}
	if strings.Trim(string(body), "x") != "" {
		return nil, nil // nothing is kept of files with other letters
	}
	return json.RawMessage(fmt.Sprint(len(body))), nil
}

func results(contents *image.Contents, key string, every bool) map[string]string {
	out, all := map[string]string{}, contents.Results(key)
	if every {
		all = contents.EveryResult(key)
	}
	for found := range all {
		at := fmt.Sprintf("%d:%s", found.Layer, found.Path)
		if _, twice := out[at]; twice {
			at += " (again)"
		}
		out[at] = string(found.Result)
		if found.Deleted {
			out[at] += " deleted"
		}
	}
	return out
}

func TestAnalyzers(t *testing.T) {
	t.Parallel()
	text := imagetest.Text
	img := imagetest.Image(t, v1.Config{},
		imagetest.Layer(
			text("kept.txt", "xx"), text("gone.txt", "xxx"), text("replaced.txt", "xxxx"), text("no.doc", "xx"), text("y.txt", "y"),
			text("pkgs/a.txt", "xxxxx"), imagetest.Hardlink("lib/a.txt", "pkgs/a.txt"),
			text("twice.txt", "xxxxxx"), text("twice.txt", "x"), text("twice2.txt", "x"), text("twice2.txt", "y"),
			text("empty.txt", ""), text("large.txt", strings.Repeat("x", 1<<20)),
		).Gzip(),
		imagetest.Layer(imagetest.Whiteout("gone.txt"), text("replaced.txt", "x"), imagetest.Whiteout("pkgs")).Zstd(),
	)
	for name, limits := range map[string]image.Limits{"in memory": {}, "through the disk": {MemoryBytes: 24}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			analyzer := &lengths{}
			contents, err := (&image.Reader{Analyzers: []image.Analyzer{analyzer}, Limits: limits, Temp: t.TempDir()}).Read(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"0:kept.txt": "2", "0:lib/a.txt": "5", "0:twice.txt": "1", "0:empty.txt": "0", "0:large.txt": "1048576",
				"1:replaced.txt": "1",
			}
			if diff := cmp.Diff(want, results(contents, analyzer.Key(), false)); diff != "" {
				t.Errorf("results differ (-want +got):\n%s", diff)
			}
			want["0:gone.txt"], want["0:replaced.txt"] = "3 deleted", "4 deleted"
			if diff := cmp.Diff(want, results(contents, analyzer.Key(), true)); diff != "" {
				t.Errorf("every result differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnalyzersDoNotBlameTheImage(t *testing.T) {
	t.Parallel()
	img := imagetest.Image(t, v1.Config{}, imagetest.Layer(imagetest.Text("a.txt", "x")))
	refused := &verdict.Error{Verdict: verdict.Fail, Code: "scan.own", Doing: "scanning", Remedy: "Do something"}
	for name, test := range map[string]struct {
		analyzer *lengths
		code     string
		verdict  verdict.Verdict
	}{
		"error":     {&lengths{err: errors.New("no")}, image.CodeAnalyzer, verdict.Inconclusive},
		"panic":     {&lengths{panic: true}, image.CodeAnalyzer, verdict.Inconclusive},
		"own error": {&lengths{err: refused}, "scan.own", verdict.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := (&image.Reader{Analyzers: []image.Analyzer{test.analyzer}}).Read(t.Context(), img)
			e := (*verdict.Error)(nil)
			if !errors.As(err, &e) || e.Code != test.code || e.Verdict != test.verdict {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestAnalyzersAreRefusedHugeFiles(t *testing.T) {
	t.Parallel()
	img := imagetest.Image(t, v1.Config{}, imagetest.Layer(imagetest.Text("a.txt", "xxxx")))
	_, err := (&image.Reader{Analyzers: []image.Analyzer{&lengths{}}, Limits: image.Limits{FileBytes: 3}}).Read(t.Context(), img)
	blamed(t, err, image.CodeLimit, "file_bytes")
}

// gauge notes how many bytes of files are being analyzed at once.
type gauge struct {
	lengths
	mu        sync.Mutex
	now, most int64
}

func (g *gauge) Analyze(_ context.Context, file image.File) (json.RawMessage, error) {
	g.mu.Lock()
	g.now += file.Size
	g.most = max(g.most, g.now)
	g.mu.Unlock()
	_, err := io.Copy(io.Discard, file.Reader())
	g.mu.Lock()
	g.now -= file.Size
	g.mu.Unlock()
	return nil, err
}

func TestAnalyzersStayWithinMemory(t *testing.T) {
	t.Parallel()
	files := make([]imagetest.File, 200)
	for i := range files {
		files[i] = imagetest.Text(fmt.Sprintf("%d.txt", i), strings.Repeat("x", 1000))
	}
	layer := imagetest.Layer(files...)
	analyzer := &gauge{}
	reader := &image.Reader{Analyzers: []image.Analyzer{analyzer}, Limits: image.Limits{MemoryBytes: 8000}}
	if _, err := reader.Read(t.Context(), imagetest.Image(t, v1.Config{}, layer, imagetest.Layer(files[1:]...))); err != nil {
		t.Fatal(err)
	}
	if analyzer.most > 8000 || analyzer.most == 0 {
		t.Errorf("%d bytes were under way at once, 8000 are allowed", analyzer.most)
	}
}

// noBody wants what lengths wants, and reads no more than the end of it.
type noBody struct{ *lengths }

func (noBody) Analyze(_ context.Context, file image.File) (json.RawMessage, error) {
	if file.Bytes != nil {
		return nil, errors.New("the large file is in memory")
	}
	_, err := file.ReaderAt.ReadAt(make([]byte, 1), file.Size-1)
	return nil, err
}
