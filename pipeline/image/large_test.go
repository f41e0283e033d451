package image_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/image/imagetest"
)

// crowded is a layer of n empty files, a thousand in each folder.
func crowded(n int) imagetest.Blob {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := range n {
		must(w.WriteHeader(&tar.Header{Name: fmt.Sprintf("usr/share/%d/file-number-%d", i/1000, i), Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}))
	}
	must(w.Close())
	return imagetest.Plain(out.Bytes()).Zstd()
}

// measure returns what work leaves in use of the heap, and what it allocates in all, in bytes. Tests that measure must
// not be parallel.
func measure(work func()) (kept, allocated int64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	work()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc), int64(after.TotalAlloc - before.TotalAlloc)
}

func TestAMillionEntries(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("a million entries take seconds: left to the full run without the race detector")
	}
	img := imagetest.Image(t, v1.Config{}, crowded(1_000_000))
	var contents *image.Contents
	start := time.Now()
	kept, _ := measure(func() { contents = read(t, img) })
	if took := time.Since(start); took > time.Minute {
		t.Errorf("reading a million entries took %s", took)
	}
	if contents.Layers[0].Entries.Len() != 1_000_000 || kept > 256<<20 {
		t.Errorf("%d entries keep %d MiB, 256 are allowed", contents.Layers[0].Entries.Len(), kept>>20)
	}
	if got := facts(t, contents, "/usr/share/7/*").Files; len(got) != 1000 {
		t.Errorf("%d files instead of 1000", len(got))
	}
}

func TestMemoryIsFlatInTheImagesSize(t *testing.T) {
	spilled := &lengths{} // wants the large file, which therefore goes through the disk
	for name, analyzers := range map[string][]image.Analyzer{"no analyzer": nil, "an analyzer": {noBody{spilled}}} {
		layer := imagetest.Layer(imagetest.Text("large.txt", strings.Repeat("x", 128<<20))).Zstd()
		img := imagetest.Image(t, v1.Config{}, layer)
		reader := &image.Reader{Analyzers: analyzers, Temp: t.TempDir(), Limits: image.Limits{RatioFloor: 1 << 40}}
		_, allocated := measure(func() {
			if _, err := reader.Read(t.Context(), img); err != nil {
				t.Fatal(err)
			}
		})
		if allocated > 32<<20 {
			t.Errorf("%s: a layer of 128 MiB made %d MiB of allocations", name, allocated>>20)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	img := imagetest.Image(b, v1.Config{}, crowded(100_000))
	for name, reader := range map[string]*image.Reader{"cold": {}, "warm": {Cache: b.TempDir()}} {
		b.Run(name, func(b *testing.B) {
			if _, err := reader.Read(b.Context(), img); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reader.Read(b.Context(), img); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
