//go:build real

package real

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The Dockerfile at the top, built, checked, scanned and launched by the program that is put into it, with the
// configuration of a release. Its launch runs `hallmark version` in it, as the user that the image names.
func TestOwnImage(t *testing.T) {
	h := newHome(t)
	base := ""
	for _, input := range demoInputs(t) {
		if at, found := strings.CutPrefix(input, "--build-context=debian:bookworm-slim="); found {
			base = at
		}
	}
	if base == "" {
		t.Fatal("the demo's inputs have no Debian base")
	}
	folder := t.TempDir()
	body, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "hallmark"), body, 0o755); err != nil {
		t.Fatal(err)
	}
	o := h.call(t, "run", "--config", filepath.Join(top, ".github", "hallmark.yaml"), "--set", "image=hallmark",
		"--build-context", "debian:bookworm-slim="+base,
		"--build-context", "golang:1.26-bookworm="+base, // named in a stage that nothing needs, and looked up all the same
		"--build-context", "program="+folder).want(t, 0)
	if len(o.report.Launches) != 1 || len(o.report.Launches[0].Probes) != 2 {
		t.Fatalf("want one launch with the probes `hallmark version` and `git --version`: %s", o)
	}
	for _, probe := range o.report.Launches[0].Probes {
		t.Logf("%+v", probe)
	}
	isGolden(t, h, o)
}
