package build_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
)

// A layer is finished while a later step still runs, and the image is the same as one that was built without a wait.
func TestLowerLayersAreFinishedEarly(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	context := files{
		"Dockerfile": `FROM scratch
COPY sh /bin/sh
COPY first /first
RUN write /second text
RUN sleep 4
COPY third /third
`,
		"first": "lies below\n", "third": "lies on top\n",
	}.write(t)
	epoch := time.Unix(1_700_000_000, 0)
	o := build.Options{Context: context, Layout: filepath.Join(t.TempDir(), "layout"), SourceDateEpoch: &epoch}

	early := make(chan int, 1)
	ended := make(chan struct{})
	go func() {
		most := 0
		for {
			select {
			case <-ended:
				early <- most
				return
			case <-time.After(50 * time.Millisecond):
			}
			if _, err := os.Stat(filepath.Join(o.Layout, "index.json")); err == nil {
				continue // the build is writing its end
			}
			blobs, _ := filepath.Glob(filepath.Join(o.Layout, "blobs", "sha256", "[0-9a-f]*"))
			most = max(most, len(blobs))
		}
	}()
	made := run(t, e, o)
	close(ended)
	if n := <-early; n < 3 {
		t.Errorf("%d layers lay finished before the build ended; want the three below the sleeping step", n)
	}
	left, err := filepath.Glob(filepath.Join(o.Layout, ".hallmark-export*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the layout: %v %v", left, err)
	}

	o.Layout = filepath.Join(t.TempDir(), "again")
	if again := run(t, e, o); again.Digest != made.Digest {
		t.Errorf("the same build from the cache gives %s, not %s", again.Digest, made.Digest)
	}
	if got := content(t, image(t, made, "")); got["second"] != "text\n" || got["third"] != "lies on top\n" {
		t.Errorf("the image holds %q", names(got))
	}
}
