package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/tonistiigi/fsutil"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/engine/enginetest"
)

// fill writes files into a new folder.
func fill(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// copied is what the engine's copy of the local folder "context" holds of a file; sent is what the session would send.
func copied(t *testing.T, e *engine.Engine, sent, name string, attached ...session.Attachable) (string, error) {
	t.Helper()
	folder, err := fsutil.NewFS(sent)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	_, err = e.Client().Build(t.Context(), client.SolveOpt{
		LocalMounts: map[string]fsutil.FS{"context": folder}, SharedKey: t.Name(), Session: attached, Internal: true,
	}, "", func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		state := llb.Local("context", llb.SessionID(c.BuildOpts().SessionID), llb.ExcludePatterns([]string{"ignored"}))
		definition, err := state.Marshal(ctx)
		if err != nil {
			return nil, err
		}
		result, err := c.Solve(ctx, gateway.SolveRequest{Definition: definition.ToPB(), Evaluate: true})
		if err != nil {
			return nil, err
		}
		ref, err := result.SingleRef()
		if err != nil {
			return nil, err
		}
		text, err = ref.ReadFile(ctx, gateway.ReadRequest{Filename: name})
		return result, err
	}, nil)
	return string(text), err
}

// The engine reads a folder of this machine itself, and has the client send one that is not the same folder to both.
func TestFoldersAreReadWhereTheyLie(t *testing.T) {
	t.Parallel()
	e := enginetest.Start(t)
	sent := fill(t, map[string]string{"file": "sent"})
	read := fill(t, map[string]string{"file": "read", "ignored": "not wanted"})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(read, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		attached   []session.Attachable
	}{
		{"nobody says where", "sent", nil},
		{"the session says where", "read", []session.Attachable{engine.Folders(map[string]string{"context": read})}},
		{"through a symlink", "read", []session.Attachable{engine.Folders(map[string]string{"context": link})}},
		{"another folder is known", "sent", []session.Attachable{engine.Folders(map[string]string{"dockerfile": read})}},
		{"it is not there", "sent", []session.Attachable{engine.Folders(map[string]string{"context": read + "-gone"})}},
		{"it is a file", "sent", []session.Attachable{engine.Folders(map[string]string{"context": filepath.Join(read, "file")})}},
		{"it is another one to the engine", "sent", []session.Attachable{engine.Elsewhere(map[string]string{"context": read})}},
	} {
		got, err := copied(t, e, sent, "file", c.attached...)
		if err != nil || got != c.want {
			t.Errorf("%s: the engine has %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	near := engine.Folders(map[string]string{"context": read})
	if got, err := copied(t, e, sent, "ignored", near); err == nil {
		t.Errorf("an excluded file was copied: %q", got)
	}
	if err := os.WriteFile(filepath.Join(read, "file"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := copied(t, e, sent, "file", near); err != nil || got != "changed" {
		t.Errorf("after a change the engine has %q, %v", got, err)
	}
}
