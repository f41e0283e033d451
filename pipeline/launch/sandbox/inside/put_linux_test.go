package inside

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCopy(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{"bin/run": 0o755, "jars/a.jar": 0o644, "closed/inner": 0o600} {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("run", filepath.Join(from, "bin", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(from, "closed"), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(from, "closed"), 0o755) })
	taken, free := filepath.Join(to, "taken"), filepath.Join(to, "deep", "free")
	if err := os.Symlink("/nowhere", taken); err != nil { // a link that leads nowhere is the image's own, too
		t.Fatal(err)
	}
	got, err := answer(t.Context(), CopyArgs(from, taken, free)[1:], nil)
	if err != nil || got != (Report{Body: free, Files: 3}) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if text, err := os.ReadFile(filepath.Join(free, "closed", "inner")); err != nil || string(text) != "closed/inner" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(filepath.Join(free, "bin", "run")); err != nil || info.Mode() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	if link, err := os.Readlink(filepath.Join(free, "bin", "link")); err != nil || link != "run" {
		t.Errorf("%q, %v", link, err)
	}
	if _, err := answer(t.Context(), CopyArgs(from, taken, free)[1:], nil); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second copy: %v", err)
	}
	if _, err := answer(t.Context(), CopyArgs(filepath.Join(from, "none"), filepath.Join(to, "x"))[1:], nil); err == nil {
		t.Error("a copy of nothing")
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := answer(over, CopyArgs(from, filepath.Join(to, "late"))[1:], nil); err != nil || !got.TimedOut {
		t.Errorf("given up: %+v, %v", got, err)
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("abc"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := answer(t.Context(), SumArgs(path)[1:], nil)
	if err != nil || got.Body != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := answer(t.Context(), SumArgs(path + "x")[1:], nil); err != nil || !got.NoCommand {
		t.Errorf("of nothing: %+v, %v", got, err)
	}
	if _, err := answer(t.Context(), SumArgs(filepath.Dir(path))[1:], nil); err == nil {
		t.Error("of a folder")
	}
}

// A program that a script leaves behind keeps the script's output open; the script has ended all the same.
func TestScriptsMayLeaveProgramsBehind(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	started := time.Now()
	got, err := answer(t.Context(), ScriptArgs(time.Minute, "sh", "-c", "sleep 20 & echo through; exit 4")[1:], &out)
	if err != nil || got.ExitCode != 4 || out.String() != "through\n" {
		t.Errorf("got %+v, %v, %q", got, err, out.String())
	}
	if took := time.Since(started); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestWrongCallsOfCopyAndSum(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"copy"}, {"copy", "/a"}, {"copy", "-nosuch"}, {"sum"}, {"sum", "-nosuch"}} {
		if _, err := answer(t.Context(), args, nil); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
