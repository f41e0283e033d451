package inside

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "deep", "file")
	for _, text := range []string{"one", "another"} {
		if got, err := put(path, strings.NewReader(text)); err != nil || got.Body != path {
			t.Fatalf("got %+v, %v", got, err)
		}
		if body, err := os.ReadFile(path); err != nil || string(body) != text {
			t.Errorf("%q, %v", body, err)
		}
	}
	if _, err := put(filepath.Join(path, "below"), strings.NewReader("x")); err == nil {
		t.Error("a file below a file")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "deep", ".hallmark-*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestTalkWantsACommand(t *testing.T) {
	t.Parallel()
	if _, err := answer(t.Context(), TalkArgs(nil)[1:], nil); err == nil {
		t.Error("it talks to nobody")
	}
	if got, err := answer(t.Context(), TalkArgs([]string{"no-such-command-anywhere"})[1:], os.Stderr); err != nil || !got.NoCommand {
		t.Errorf("got %+v, %v", got, err)
	}
}
