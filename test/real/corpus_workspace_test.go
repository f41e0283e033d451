//go:build real

package real

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// emulated is a workspace that `hallmark emulate databricks` serves on the home.
type emulated struct {
	host, token string
}

// emulate serves one until the test ends. With launches, images are really launched in it.
func (h home) emulate(t *testing.T, launches bool) emulated {
	t.Helper()
	file := filepath.Join(h.dir, fmt.Sprintf("token-%t", launches))
	args := []string{"emulate", "databricks", "--listen", "127.0.0.1:0", "--token-file", file}
	if !launches {
		args = append(args, "--no-launch")
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "HALLMARK_") }),
		"HALLMARK_HOME="+h.dir, "DOCKER_CONFIG="+h.dir)
	cmd.Env = append(cmd.Env, h.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // interrupted
		if t.Failed() {
			t.Logf("the workspace said:\n%s", said.String())
		}
	})
	var e emulated
	lines := bufio.NewScanner(out)
	for e.host == "" && lines.Scan() {
		e.host, _ = strings.CutPrefix(lines.Text(), "export DATABRICKS_HOST=")
	}
	token, err := os.ReadFile(file)
	if err != nil || e.host == "" {
		t.Fatalf("no workspace: %v\n%s", err, said.String())
	}
	e.token = strings.TrimSpace(string(token))
	return e
}

// order tells the workspace something, or asks it.
func (e emulated) order(t *testing.T, method, path string, what, into any) {
	t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, e.host+"/emulator/v1/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+e.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var text bytes.Buffer
		_, _ = text.ReadFrom(response.Body)
		t.Fatalf("%s %s: %s %s", method, path, response.Status, text.String())
	}
	if into != nil {
		if err := json.NewDecoder(response.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

// clusters are those that are left, and how many were deleted.
func (e emulated) clusters(t *testing.T) (left map[string]string, deleted int) {
	t.Helper()
	var state struct {
		Clusters map[string]string `json:"clusters"`
		Deleted  int               `json:"deleted"`
	}
	e.order(t, http.MethodGet, "state", nil, &state)
	return state.Clusters, state.Deleted
}

// inWorkspaces runs the cases that a workspace takes part in. After each of them no cluster is left.
func (d *databricksImages) inWorkspaces(t *testing.T) {
	served := map[bool]emulated{false: d.emulate(t, false), true: d.emulate(t, true)}
	for n, c := range corpus(t) {
		if c.Workspace == nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			e := served[c.Workspace.Launches]
			e.order(t, http.MethodDelete, "faults", nil, nil)
			for _, next := range c.Workspace.Next {
				e.order(t, http.MethodPost, "next", next, nil)
			}
			for _, fault := range c.Workspace.Faults {
				e.order(t, http.MethodPost, "faults", fault, nil)
			}
			_, before := e.clusters(t)
			args := []string{
				"run", "--config", filepath.Join(corpusFolder, "image", "workspace.yaml"), "--set", "build.target=" + cmp.Or(c.Image, "as-it-is"),
				"--set", fmt.Sprintf("launch[0].databricks.tags.case=%d", n),
			} // another launch than the case before, which may have passed
			for _, set := range c.Set {
				args = append(args, "--set", set)
			}
			h := d.home
			h.env = append(slices.Clone(h.env), "DATABRICKS_HOST="+e.host, "DATABRICKS_TOKEN="+e.token)
			o := h.call(t, args...)
			e.order(t, http.MethodDelete, "faults", nil, nil)
			left, deleted := e.clusters(t)
			if len(left) > 0 {
				t.Errorf("clusters are left: %v", left)
			}
			if c.Expect.Clusters > 0 && deleted-before != c.Expect.Clusters {
				t.Errorf("%d clusters were started, want %d", deleted-before, c.Expect.Clusters)
			}
			c.Expect.holds(t, o)
		})
	}
}
