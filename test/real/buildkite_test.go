//go:build real

package real

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// agentToken is what the agent shows to Buildkite.
const agentToken = "token-of-the-agent"

// buildkite is the part of Buildkite that an agent speaks to while a job runs: annotations, meta-data, artifacts.
type buildkite struct {
	*httptest.Server
	mu          sync.Mutex
	annotations []map[string]any
	data        map[string]string
	batch       []string // paths of the artifacts that are to come
	artifacts   map[string]string
	states      []string
	wrong       []string // what no agent may send
}

func newBuildkite(t *testing.T) *buildkite {
	t.Helper()
	b := &buildkite{data: map[string]string{}, artifacts: map[string]string{}}
	routes := http.NewServeMux()
	asked := func(pattern string, answer func(body []byte) any) {
		routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if r.Header.Get("Authorization") != "Token "+agentToken {
				http.Error(w, `{"message":"unauthorized"}`, http.StatusUnauthorized)
				return
			}
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), password) || strings.Contains(string(body), registryPassword) {
				b.wrong = append(b.wrong, "a password in "+r.URL.Path)
			}
			_ = json.NewEncoder(w).Encode(answer(body))
		})
	}
	asked("POST /jobs/job-1/annotations", func(body []byte) any {
		var annotation map[string]any
		_ = json.Unmarshal(body, &annotation)
		b.annotations = append(b.annotations, annotation)
		return map[string]any{}
	})
	asked("POST /jobs/job-1/data/set", func(body []byte) any {
		var item struct{ Key, Value string }
		_ = json.Unmarshal(body, &item)
		b.data[item.Key] = item.Value
		return map[string]any{}
	})
	asked("POST /jobs/job-1/data/exists", func(body []byte) any {
		var item struct{ Key string }
		_ = json.Unmarshal(body, &item)
		_, exists := b.data[item.Key]
		return map[string]bool{"exists": exists}
	})
	asked("POST /jobs/job-1/artifacts", func(body []byte) any {
		var batch struct{ Artifacts []struct{ Path string } }
		_ = json.Unmarshal(body, &batch)
		ids := []string{}
		for _, a := range batch.Artifacts {
			ids = append(ids, fmt.Sprintf("artifact-%d", len(b.batch)))
			b.batch = append(b.batch, a.Path)
		}
		return map[string]any{"id": "batch-1", "artifact_ids": ids, "upload_instructions": map[string]any{
			"data":   map[string]string{"path": "${artifact:path}"},
			"action": map[string]string{"url": b.URL, "method": "POST", "path": "upload", "file_input": "file"},
		}}
	})
	asked("PUT /jobs/job-1/artifacts", func(body []byte) any {
		var update struct{ Artifacts []struct{ State string } }
		_ = json.Unmarshal(body, &update)
		for _, a := range update.Artifacts {
			b.states = append(b.states, a.State)
		}
		return map[string]any{}
	})
	routes.HandleFunc("POST /upload", func(_ http.ResponseWriter, r *http.Request) {
		_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		form, err := multipart.NewReader(r.Body, params["boundary"]).ReadForm(64 << 20)
		b.mu.Lock()
		defer b.mu.Unlock()
		if err != nil || len(form.File["file"]) != 1 || len(form.Value["path"]) != 1 {
			b.wrong = append(b.wrong, fmt.Sprintf("an upload without a file: %v", err))
			return
		}
		file, err := form.File["file"][0].Open()
		if err != nil {
			b.wrong = append(b.wrong, err.Error())
			return
		}
		defer file.Close()
		body, _ := io.ReadAll(file)
		b.artifacts[form.Value["path"][0]] = string(body)
	})
	routes.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wrong = append(b.wrong, r.Method+" "+r.URL.Path)
		http.NotFound(w, r)
	})
	b.Server = httptest.NewServer(routes)
	t.Cleanup(b.Close)
	return b
}

// The example for Buildkite: its agent reads the pipeline, as it does to upload one, and runs the step as one that
// Buildkite gave it; checkout, sudo, redactor, annotation, meta-data and artifacts included. Buildkite itself is played by
// the test.
func TestBuildkiteRunsTheExample(t *testing.T) {
	agent := peer(t, "agent")
	h := newHome(t)
	host := privateRegistry(t, "ci", registryPassword)
	service := newBuildkite(t)
	dir := checkout(t, tiny{stamp: "buildkite"}, "buildkite/.buildkite/pipeline.yml", ".buildkite/pipeline.yml")
	commit(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()

	read := exec.CommandContext(ctx, agent, "pipeline", "upload", "--dry-run", "--format", "json", "--agent-access-token", "none", ".buildkite/pipeline.yml")
	read.Dir = dir
	said, err := read.Output()
	if err != nil {
		t.Fatalf("the agent does not read the pipeline: %v", err)
	}
	var pipeline struct {
		Steps []struct {
			Key, Command  string
			Env           map[string]string
			ArtifactPaths []string `json:"artifact_paths"`
			Retry         struct {
				Automatic []struct {
					ExitStatus int `json:"exit_status"`
				}
			}
		}
	}
	if err := json.Unmarshal(said, &pipeline); err != nil || len(pipeline.Steps) != 1 {
		t.Fatalf("%v: %s", err, said)
	}
	step := pipeline.Steps[0]
	if step.Key != "golden-image" || len(step.Retry.Automatic) != 1 || step.Retry.Automatic[0].ExitStatus != 3 {
		t.Errorf("the step is %+v", step)
	}

	// Sudo looks for programs in places of its own: the job sees ours in one of these, and nobody else does.
	programs := withPrograms(t, map[string]string{"buildkite-agent": agent})
	environment := ofNoSystem(h.settings()...)
	for name, value := range step.Env {
		environment = append(environment, name+"="+value)
	}
	builds := t.TempDir()
	environment = append(environment, "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME="+t.TempDir(),
		"BUILDKITE=true", "CI=true", "BUILDKITE_JOB_ID=job-1", "BUILDKITE_BUILD_ID=build-1", "BUILDKITE_BUILD_NUMBER=1", "BUILDKITE_LABEL=golden image",
		"BUILDKITE_BUILD_URL=https://buildkite.com/acme/tiny/builds/1", "BUILDKITE_ORGANIZATION_SLUG=acme", "BUILDKITE_PIPELINE_SLUG=tiny",
		"BUILDKITE_PIPELINE_PROVIDER=git", "BUILDKITE_SOURCE=webhook", "BUILDKITE_PULL_REQUEST=false", "BUILDKITE_AGENT_NAME=tests",
		"BUILDKITE_REPO="+dir, "BUILDKITE_COMMIT=HEAD", "BUILDKITE_BRANCH=main", "BUILDKITE_BUILD_PATH="+builds, "BUILDKITE_BIN_PATH=/usr/local/bin",
		"BUILDKITE_AGENT_ENDPOINT="+service.URL, "BUILDKITE_AGENT_ACCESS_TOKEN="+agentToken, "BUILDKITE_SOCKETS_PATH="+t.TempDir(),
		"BUILDKITE_COMMAND="+step.Command, "BUILDKITE_ARTIFACT_PATHS="+strings.Join(step.ArtifactPaths, ";"), "BUILDKITE_SSH_KEYSCAN=false",
		// What a machine's own hooks would add: the registry that is meant, and its credentials.
		"HALLMARK_IMAGE="+host+"/team/tiny", "HALLMARK_REGISTRY_HOST="+host, "HALLMARK_REGISTRY_USERNAME=ci", "HALLMARK_REGISTRY_PASSWORD="+registryPassword)
	run := func() (string, int) {
		job := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c", `mount --bind "$1" /usr/local/bin && exec buildkite-agent bootstrap`, "sh", programs)
		job.Dir, job.Env = builds, environment
		out, _ := job.CombinedOutput()
		return string(out), job.ProcessState.ExitCode()
	}
	log, code := run()
	if code != 0 {
		t.Fatalf("the job ends with %d:\n%s", code, log)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s\nwrong: %q\ndata: %q\nartifacts: %q, %q", log, service.wrong, service.data, slices.Collect(maps.Keys(service.artifacts)), service.states)
		}
	})
	wantAll(t, log, `(?m)^--- build\r?$`, `(?m)^--- promote\r?$`, `PASS\S* +[0-9a-f]{12} is golden`)
	for _, secret := range []string{password, registryPassword, agentToken} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	service.mu.Lock()
	defer service.mu.Unlock()
	if len(service.wrong) > 0 {
		t.Errorf("Buildkite was sent %q", service.wrong)
	}
	if service.data["hallmark-verdict"] != "pass" || !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(service.data["hallmark-digest"]) {
		t.Errorf("the outputs are %q", service.data)
	}
	if n := len(service.annotations); n != 1 || service.annotations[0]["style"] != "success" || !strings.HasPrefix(fmt.Sprint(service.annotations[0]["body"]), "## ✅ Hallmark: PASS") {
		t.Errorf("%d annotations: %v", n, service.annotations)
	}
	for file, want := range map[string]string{
		"hallmark/junit.xml": `<testsuites`, "hallmark/hallmark.sarif": `"version": ?"2\.1\.0"`, "hallmark/report.html": `<html`,
	} {
		if !regexp.MustCompile(want).MatchString(service.artifacts[file]) {
			t.Errorf("the artifact %s has no %s", file, want)
		}
	}
	if !slices.Equal(service.states, []string{"finished", "finished", "finished"}) {
		t.Errorf("the artifacts are %q", service.states)
	}
	h.env = []string{"HALLMARK_REGISTRY_HOST=" + host, "HALLMARK_REGISTRY_USERNAME=ci", "HALLMARK_REGISTRY_PASSWORD=" + registryPassword}
	if v := verify(t, h, host+"/team/tiny:golden", 0, "--promoted"); v.Subject.Digest != service.data["hallmark-digest"] {
		t.Errorf("golden is %s, the meta-data say %s", v.Subject.Digest, service.data["hallmark-digest"])
	}
	if _, err := os.Stat(filepath.Join(builds, "tests", "acme", "tiny", "hallmark")); err != nil {
		t.Error(err)
	}
}
