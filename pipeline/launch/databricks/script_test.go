package databricks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// TestScriptDigests holds what evidence says of every kind of init script, its digest or why nobody knows it, and of the cluster.
func TestScriptDigests(t *testing.T) {
	t.Parallel()
	const address = "/x/init.sh" // the same for all that could be taken for each other
	digest := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	s := newServer(t)
	s.files["/Workspace"+address], s.files["dbfs:"+address], s.files["/Volumes/a/b/c/init.sh"] = "workspace", "dbfs", "volumes"
	scripts := []struct {
		script Script
		event  string // its field in events
		digest string
		note   string
	}{
		{Script{Kind: "workspace", Path: address}, "workspace", digest("workspace"), ""},
		{Script{Kind: "volumes", Path: "/Volumes/a/b/c/init.sh"}, "volumes", digest("volumes"), ""},
		{Script{Kind: "dbfs", Path: "dbfs:" + address}, "dbfs", digest("dbfs"), ""},
		{Script{Kind: "file", Path: "file:" + address}, "file", digest("file"), ""},
		{Script{Kind: "file", Path: "file:/opt/none.sh"}, "file", "", "it was not found in the image before the launch"},
		{Script{Kind: "file", Path: "file:/opt/torn.sh"}, "file", "", "it was not found in the image before the launch"},
		{Script{Kind: "s3", Path: "s3://bucket/init.sh", Region: "eu-west-1"}, "s3", "", "not readable from here"},
		{Script{Kind: "abfss", Path: "abfss://c@a.dfs.core.windows.net/init.sh"}, "abfss", "", "not readable from here"},
		{Script{Kind: "gcs", Path: "gs://bucket/init.sh"}, "gcs", "", "not readable from here"},
	}
	o := s.options()
	o.InImage = func(_ context.Context, path string) (string, bool, error) {
		switch path {
		case address:
			return digest("file"), true, nil
		case "/opt/torn.sh":
			return "", false, errors.New("input/output error")
		}
		return "", false, nil
	}
	var ran []map[string]any
	for _, script := range scripts {
		o.Scripts = append(o.Scripts, script.script)
		ran = append(ran, map[string]any{script.event: map[string]any{"destination": script.script.Path}, "status": "SUCCEEDED", "execution_duration_seconds": 1})
	}
	global := []map[string]any{{"workspace": map[string]any{"destination": address}, "status": "SUCCEEDED"}}
	s.events = append(s.events, map[string]any{"type": "INIT_SCRIPTS_FINISHED", "details": map[string]any{"init_scripts": map[string]any{"global": global, "cluster": ran}}})

	result := run(t, o, testSpec(python("1", "100")))
	if result.Verdict != verdict.Pass || len(result.Scripts) != len(scripts)+1 {
		t.Fatalf("%s: %s; %+v", result.Verdict, result.Reason, result.Scripts)
	}
	for name, want := range map[string]string{
		"workspace": strings.TrimPrefix(s.http.URL, "http://"), "runtime": "16.4.x-scala2.12", "node type": "m5d.large", "single node": SingleNodeFlag, "access mode": Dedicated,
		"cluster": s.order[0], "image": "registry.example.com/platform/dbr@" + testDigest, "pulled digest": testDigest,
	} {
		if got := fact(result, name); got != want {
			t.Errorf("the %s is %q, want %q", name, got, want)
		}
	}
	if result.ID != s.order[0] || result.Started.IsZero() || !result.Finished.After(result.Started) || fact(result, "running after") == "" {
		t.Errorf("%s, from %s to %s, %v", result.ID, result.Started, result.Finished, result.Facts)
	}
	if got := result.Scripts[0]; got.Digest != "" || !strings.Contains(got.Note, "on all clusters: not readable from here") {
		t.Errorf("the global one: %+v", got)
	}
	for i, want := range scripts {
		got := result.Scripts[i+1]
		if got.Name != want.script.Path || got.Digest != want.digest || !strings.Contains(got.Note, want.note) || (got.Digest == "") != (got.Note != "") {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	said := fmt.Sprint(result.Events)
	for _, note := range []string{"file:/opt/none.sh is not in the image", "which init script file:/opt/torn.sh is: input/output error"} {
		if !strings.Contains(said, note) {
			t.Errorf("%q is not among the events: %s", note, said)
		}
	}
}
