//go:build real

package real

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
)

// order tells the workspace something, or asks it.
func (w *workspace) order(t *testing.T, method, path string, what, into any) {
	t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, w.host+"/emulator/v1/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.token)
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

// alive are the clusters that are left, and how many were deleted.
func (w *workspace) alive(t *testing.T) (left map[string]string, deleted int) {
	t.Helper()
	var state struct {
		Clusters map[string]string `json:"clusters"`
		Deleted  int               `json:"deleted"`
	}
	w.order(t, http.MethodGet, "state", nil, &state)
	return state.Clusters, state.Deleted
}

// inWorkspaces runs the cases that a workspace takes part in. After each of them no cluster is left.
func (d *databricksImages) inWorkspaces(t *testing.T) {
	served := map[bool]*workspace{
		false: emulate(t, d.home, "--no-launch", "--token-file", filepath.Join(d.dir, "token-of-states")),
		true:  emulate(t, d.home, "--token-file", filepath.Join(d.dir, "token")),
	}
	for n, c := range corpus(t) {
		if c.Workspace == nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			w := served[c.Workspace.Launches]
			w.order(t, http.MethodDelete, "faults", nil, nil)
			for _, next := range c.Workspace.Next {
				w.order(t, http.MethodPost, "next", next, nil)
			}
			for _, fault := range c.Workspace.Faults {
				w.order(t, http.MethodPost, "faults", fault, nil)
			}
			_, before := w.alive(t)
			args := []string{
				"run", "--config", filepath.Join(corpusFolder, "image", "workspace.yaml"), "--set", "build.target=" + cmp.Or(c.Image, "as-it-is"),
				"--set", fmt.Sprintf("launch[0].databricks.tags.case=%d", n),
			} // another launch than the case before, which may have passed
			for _, set := range c.Set {
				args = append(args, "--set", set)
			}
			h := d.home
			h.env = append(slices.Clone(h.env), "DATABRICKS_HOST="+w.host, "DATABRICKS_TOKEN="+w.token)
			o := h.call(t, args...)
			w.order(t, http.MethodDelete, "faults", nil, nil)
			left, deleted := w.alive(t)
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
