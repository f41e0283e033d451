package engine

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRecordsOfAnotherBootAreDropped: what a killed engine left is whole, what the machine's own end cut short is not.
func TestRecordsOfAnotherBootAreDropped(t *testing.T) {
	t.Parallel()
	boot, err := os.ReadFile(bootFile)
	if err != nil {
		t.Skipf("this machine does not tell its boots apart: %v", err)
	}
	for name, tt := range map[string]struct {
		marker  string // what the engine before left; empty: it ended in order
		survive bool
	}{
		"ended in order":    {"", true},
		"was killed":        {string(boot), true},
		"machine went down": {"another boot\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			marker, record := filepath.Join(root, openMarker), filepath.Join(root, "buildkit", "cache.db")
			write(t, record, "records")
			if tt.marker != "" {
				write(t, marker, tt.marker)
			}
			kept, err := openRecords(root)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(record); (err == nil) != tt.survive {
				t.Errorf("the records: %v; survive should be %t", err, tt.survive)
			}
			if text, err := os.ReadFile(marker); err != nil || string(text) != string(boot) || !kept.options().NoSync {
				t.Errorf("while the engine works: marker %q (%v), NoSync %t", text, err, kept.options().NoSync)
			}
			if err := kept.close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(marker); !os.IsNotExist(err) {
				t.Errorf("the marker is still there after an orderly end: %v", err)
			}
		})
	}
}

func TestOverlayIsTriedOncePerPlace(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if place(root) == "" {
		t.Skip("this machine does not tell its boots apart")
	}
	if place(root) == place(t.TempDir()) {
		t.Error("two folders are the same place")
	}
	write(t, filepath.Join(root, "overlay-tried"), place(root))
	if !carriesOverlay(root) {
		t.Error("what was tried before is not believed")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
