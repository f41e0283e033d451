package engine

import (
	"os"
	"path/filepath"
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestPlatformsAreRemembered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "platforms.json")
	looks := 0
	ask := func(key string) string {
		found := remembered(path, key, func() []ocispecs.Platform {
			looks++
			return []ocispecs.Platform{{OS: "linux", Architecture: "amd64"}}
		})
		return found[0].Architecture
	}
	for _, step := range []struct {
		key   string
		spoil string // is written over the note first
		looks int    // so far
	}{
		{key: "one", looks: 1},
		{key: "one", looks: 1},
		{key: "two", looks: 2},
		{key: "two", spoil: "{", looks: 3},
		{key: "two", spoil: `{"key":"two","platforms":[]}`, looks: 4},
		{key: "", looks: 5},
		{key: "", looks: 6},
	} {
		if step.spoil != "" {
			if err := os.WriteFile(path, []byte(step.spoil), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := ask(step.key); got != "amd64" || looks != step.looks {
			t.Errorf("asked for %q: %s after %d looks, want %d", step.key, got, looks, step.looks)
		}
	}
}

func TestEmulators(t *testing.T) {
	t.Parallel()
	list := t.TempDir()
	before := emulatorsIn(list)
	if before == "" || before == emulatorsIn(filepath.Join(list, "absent")) {
		t.Errorf("an empty list is told as %q, none as %q", before, emulatorsIn(filepath.Join(list, "absent")))
	}
	if err := os.WriteFile(filepath.Join(list, "qemu-aarch64"), []byte("enabled\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	registered := emulatorsIn(list)
	if err := os.WriteFile(filepath.Join(list, "qemu-aarch64"), []byte("disabled\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if registered == before || registered == emulatorsIn(list) {
		t.Errorf("what is registered makes no difference: %q, then %q", before, registered)
	}
}
