package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/emulator"
)

// TestPostEndsClusters: what a killed step left in a workspace, the post step deletes, and it claims nothing else: another
// run's cluster stays and is not spoken of, and one that cannot be deleted is told as that.
func TestPostEndsClusters(t *testing.T) {
	space, err := emulator.New(emulator.Options{Token: "dapi-of-the-tests"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = space.Close(context.WithoutCancel(t.Context())) })
	refuses := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses && strings.HasSuffix(r.URL.Path, "delete") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error_code":"PERMISSION_DENIED","message":"not yours"}`)
			return
		}
		space.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Setenv("DATABRICKS_HOST", server.URL)
	t.Setenv("DATABRICKS_TOKEN", "dapi-of-the-tests")
	t.Setenv("DATABRICKS_CONFIG_FILE", t.TempDir()+"/none")

	call := func(method, path, body string, answer any) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer dapi-of-the-tests")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s %v", path, response.Status, text, err)
		}
		if err := json.Unmarshal(text, answer); err != nil {
			t.Fatal(err)
		}
	}
	create := func(run string) string {
		t.Helper()
		var made struct {
			ID string `json:"cluster_id"`
		}
		call(http.MethodPost, "/api/2.1/clusters/create", fmt.Sprintf(`{"cluster_name": "a launch", "spark_version": "16.4.x-scala2.12", "node_type_id": "m5d.large", "num_workers": 0,
			"spark_conf": {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]"}, "custom_tags": {"ResourceClass": "SingleNode", %q: %q}}`, databricks.TagRun, run), &made)
		return made.ID
	}
	there := func() (ids []string) {
		t.Helper()
		var all struct {
			Clusters []struct {
				ID string `json:"cluster_id"`
			}
		}
		call(http.MethodGet, "/api/2.1/clusters/list", "", &all)
		for _, c := range all.Clusters {
			ids = append(ids, c.ID)
		}
		return ids
	}
	ours, others := create("run-1"), create("run-2")
	s := &step{env: func(name string) string {
		return map[string]string{"STATE_workspaces": fmt.Sprintf(`[{"host": %q}]`, server.URL)}[name]
	}}

	refuses = true
	left, err := s.clusters(t.Context(), "run-1")
	if len(left) > 0 || err == nil || !strings.Contains(err.Error(), ours) || !strings.Contains(err.Error(), "hallmark cleanup --run run-1") || strings.Contains(err.Error(), others) {
		t.Errorf("of a cluster that cannot be deleted post says %q, %v", left, err)
	}
	refuses = false
	left, err = s.clusters(t.Context(), "run-1")
	if err != nil || len(left) != 1 || !strings.Contains(left[0], ours) {
		t.Errorf("post has taken down %q, %v; it is %s", left, err, ours)
	}
	if ids := there(); len(ids) != 1 || ids[0] != others {
		t.Errorf("there are %v, and only the other run's %s was to stay", ids, others)
	}
	if left, err = s.clusters(t.Context(), "run-1"); len(left) > 0 || err != nil {
		t.Errorf("the second time post says %q, %v", left, err)
	}
}
