//go:build real

package real

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	sdkworkspace "github.com/databricks/databricks-sdk-go/service/workspace"
)

// planted are the secrets of a run, by the place where they come in. Each has characters that somebody escapes.
var planted = map[string]string{
	"registry.auth":               `planted/registry+<1>&"pass"`,
	"credentials.username":        "planted/puller=0815",
	"credentials.password":        `planted+pull<2>/%&'pass'`,
	"build.secrets":               `https://planted:index+<3>@pip.example.com/simple?a=b&c`,
	"sign.password":               password,
	"client secret":               `planted/client+<4>&secret==`,
	"init script's signature":     "planted%2Fsignature%2B5aaaaaaaaaaaa%3D",
	"a secret of the workspace's": "planted/workspace+<6>&secret",
}

// ways are how a secret may be written, also amid something that was encoded as a whole.
func ways(value string) []string {
	asJSON, _ := json.Marshal(value)
	plain := strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(value)
	all := []string{value, url.QueryEscape(value), url.PathEscape(value), html.EscapeString(value), strings.TrimSuffix(strings.TrimPrefix(string(asJSON), `"`), `"`), plain}
	for before := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			code := encoding.EncodeToString([]byte(strings.Repeat("u", before) + value))
			all = append(all, code[[]int{0, 2, 3}[before]:(before+len(value))*8/6])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// nowhere fails the test if one of the secrets is written in the text, in any way.
func nowhere(t *testing.T, where string, text []byte, secrets map[string]string) {
	t.Helper()
	for name, value := range secrets {
		for _, way := range ways(value) {
			if at := bytes.Index(text, []byte(way)); at >= 0 {
				t.Errorf("%s: the secret of %s is there, as %s:\n%q", where, name, way, text[max(0, at-200):min(len(text), at+200)])
				break
			}
		}
	}
}

// recordingRegistry is a private one that keeps whatever is sent to it.
func recordingRegistry(t *testing.T, user, password string) (host string, sent func() [][]byte) {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	var mu sync.Mutex
	var bodies [][]byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="tests"`)
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": "UNAUTHORIZED", "message": "authentication required, not " + u + ":" + p}}})
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		bodies = append(bodies, body)
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), func() [][]byte {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(bodies)
	}
}

// secretYAML has a secret at every place where one may be referenced.
const secretYAML = `image: %[1]s/tiny
build:
  source_date_epoch: 2026-01-01
  secrets: {index: env:PLANTED_INDEX}
check: {packs: [base], params: {base: {allow_no_os: true}}}
registry:
  auth: {"%[1]s": {username: pusher, password: env:PLANTED_REGISTRY}}
launch:
  - target: databricks
    timeout: 2m
    databricks:
      runtime: "16.4"
      node_type: smallest
      retries: 1
      credentials: {username: env:PLANTED_PULLER, password: "file:%[2]s"}
      env: {INDEX: "{{secrets/planted/value}}"}
      spark_conf: {spark.hadoop.fs.azure.account.key: "{{secrets/planted/value}}"}
      init_scripts: [{abfss: "abfss://init@account.dfs.core.windows.net/init.sh?sv=2026-01-01&sig=%[3]s"}]
promote: {tags: [golden]}
`

// A whole run, with a registry and a workspace that repeat every secret in every way they can: none of them is in what the
// program says, writes, sends as evidence, keeps, or is called with; nor in what the emulator says.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	host, sent := recordingRegistry(t, "pusher", planted["registry.auth"])
	project := tiny{}.project(t)
	passwordFile := filepath.Join(t.TempDir(), "password")
	dockerfile, err := os.ReadFile(filepath.Join(project, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	shows := strings.Replace(string(dockerfile), "COPY stamp", "RUN --mount=type=secret,id=index,target=/index [\"/service\", \"show\", \"/index\"]\nCOPY stamp", 1)
	for path, text := range map[string]string{
		passwordFile:                            planted["credentials.password"] + "\n",
		filepath.Join(project, "Dockerfile"):    shows,
		filepath.Join(project, "hallmark.yaml"): fmt.Sprintf(secretYAML, host, passwordFile, planted["init script's signature"]),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	far := newHome(t)
	far.env = append(far.env, "PLANTED_CLIENT="+planted["client secret"])
	w := emulate(t, far, "--no-launch", "--verbose", "--client-id", "client-1", "--client-secret", "env:PLANTED_CLIENT")
	secrets := map[string]string{"DATABRICKS_TOKEN": w.token}
	for name, value := range planted {
		secrets[name] = value
	}
	api := sdkworkspace.NewSecrets(w.api)
	if err := api.CreateScope(t.Context(), sdkworkspace.CreateScope{Scope: "planted"}); err != nil {
		t.Fatal(err)
	}
	if err := api.PutSecret(t.Context(), sdkworkspace.PutSecret{Scope: "planted", Key: "value", StringValue: planted["a secret of the workspace's"]}); err != nil {
		t.Fatal(err)
	}
	script := "abfss://init@account.dfs.core.windows.net/init.sh?sv=2026-01-01&sig=" + planted["init script's signature"]
	w.order(t, http.MethodPut, "files?path="+url.QueryEscape(script), "true", nil)
	h.env = append(h.env, "PLANTED_INDEX="+planted["build.secrets"], "PLANTED_REGISTRY="+planted["registry.auth"], "PLANTED_PULLER="+planted["credentials.username"],
		"DATABRICKS_HOST="+w.host, "DATABRICKS_CONFIG_FILE="+os.DevNull)
	byToken := []string{"DATABRICKS_TOKEN=" + w.token, "DATABRICKS_AUTH_TYPE=pat"}
	byOAuth := []string{"DATABRICKS_CLIENT_ID=client-1", "DATABRICKS_CLIENT_SECRET=" + planted["client secret"], "DATABRICKS_AUTH_TYPE=oauth-m2m"}

	// Only what the program knows, it can hide: not the workspace's own secret, nor what it logs in with another time.
	known := func(but string) (echo string) {
		for name, value := range secrets {
			if name != "a secret of the workspace's" && name != but {
				echo += strings.Join(ways(value), " ") + " "
			}
		}
		return echo
	}
	echo, echoed := known("client secret"), known("DATABRICKS_TOKEN")
	for _, test := range []struct {
		name   string
		env    []string
		next   map[string]any
		faults []map[string]any
		code   int
	}{
		{"the image is at fault", byToken, map[string]any{"end": map[string]any{
			"code": "CONTAINER_LAUNCH_FAILURE", "type": "SERVICE_FAULT", "parameters": map[string]string{"databricks_error_message": "exec: " + echo},
			"events": []map[string]any{{"type": "SPARK_EXCEPTION", "driver_state_message": echo}},
		}}, nil, 1},
		{"a fresh cluster, and bad moments", byOAuth, map[string]any{"end": map[string]any{"code": "CLOUD_PROVIDER_LAUNCH_FAILURE", "type": "CLOUD_FAILURE", "parameters": map[string]string{"databricks_error_message": echoed}}}, []map[string]any{
			{"path": "/api/2.1/clusters/get", "status": 500, "message": echoed, "skip": 1},
			{"path": "/api/2.1/clusters/create", "status": 500, "html": true, "message": echoed},
			{"path": "/api/2.1/clusters/permanent-delete", "status": 503, "error_code": "TEMPORARILY_UNAVAILABLE", "message": echoed, "retry_after": 1},
		}, 0},
		{"a refusal", byOAuth, nil, []map[string]any{{"path": "/api/2.1/clusters/create", "status": 400, "error_code": "INVALID_PARAMETER_VALUE", "message": echoed}}, 2},
		{"a token that is not taken", byToken, nil, []map[string]any{{"path": "/api/2.0/preview/scim/v2/Me", "status": 401, "message": echo}}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.order(t, http.MethodDelete, "faults", nil, nil)
			if test.next != nil {
				w.order(t, http.MethodPost, "next", test.next, nil)
			}
			for _, fault := range test.faults {
				w.order(t, http.MethodPost, "faults", fault, nil)
			}
			out := t.TempDir()
			args := []string{"run", project, "--progress", "json", "--output", "json", "--set", "launch[0].databricks.tags.case=" + strings.ReplaceAll(test.name, ",", "")}
			for _, kind := range []string{"html", "json", "markdown", "junit", "dotenv", "gitlab-container-scanning", "gitlab-codequality", "sarif", "cyclonedx"} {
				args = append(args, "--report", kind+"="+filepath.Join(out, kind))
			}
			said, code := h.watched(t, test.env, secrets, args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d: %s", code, test.code, said)
			}
			if !bytes.Contains(said, []byte("***")) {
				t.Error("nothing was hidden: the test proves nothing")
			}
			nowhere(t, "what it says", said, secrets)
			notInFiles(t, out, secrets)
			if left, _ := w.alive(t); len(left) > 0 {
				t.Errorf("clusters are left: %v", left)
			}
		})
	}
	bodies := sent()
	evidence := 0
	for _, body := range bodies {
		nowhere(t, "what the registry is sent", body, secrets)
		var bundle struct {
			Envelope struct {
				Payload []byte `json:"payload"`
			} `json:"dsseEnvelope"`
			Payload []byte `json:"payload"`
		}
		if json.Unmarshal(body, &bundle) == nil && len(bundle.Payload)+len(bundle.Envelope.Payload) > 0 {
			evidence++
			nowhere(t, "evidence", slices.Concat(bundle.Payload, bundle.Envelope.Payload), secrets)
		}
	}
	if evidence < 5 {
		t.Errorf("only %d of %d bodies are evidence", evidence, len(bodies))
	}
	notInFiles(t, h.dir, secrets)
	notInFiles(t, project, secrets, "hallmark.yaml") // where the signature stands
	nowhere(t, "what the emulator says", []byte(w.said.String()), secrets)
}

// watched calls the program, looks at the command lines of all its processes meanwhile, and returns all it says.
func (h home) watched(t *testing.T, env []string, secrets map[string]string, args ...string) (said []byte, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = top
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "HALLMARK_") || strings.HasPrefix(entry, "DATABRICKS_")
	}),
		"HALLMARK_HOME="+h.dir, "HALLMARK_SIGN_KEY=file:"+keyFiles+".key", "HALLMARK_SIGN_PASSWORD=env:TESTS_PASSWORD", "TESTS_PASSWORD="+password,
		"HALLMARK_SCAN_DATABASE_FROM=demo", "DOCKER_CONFIG="+h.dir)
	cmd.Env = append(append(cmd.Env, h.env...), env...)
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	for seen := 0; ; time.Sleep(50 * time.Millisecond) {
		for _, pid := range processes() {
			if belongs(pid, h) {
				seen++
				nowhere(t, "a command line", []byte(cmdline(pid)), secrets)
			}
		}
		select {
		case <-done:
			if seen == 0 {
				t.Error("no process was seen")
			}
			return all.Bytes(), cmd.ProcessState.ExitCode()
		default:
		}
	}
}

// notInFiles looks through a folder.
func notInFiles(t *testing.T, folder string, secrets map[string]string, but ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || slices.Contains(but, entry.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		nowhere(t, path, text, secrets)
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("%s: %d files, %v", folder, files, err)
	}
}
