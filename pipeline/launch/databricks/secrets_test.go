package databricks

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const (
	plantedSecret   = "planted-client-secret-0815"
	plantedBearer   = "planted-bearer-token-4711"
	plantedPassword = "planted-registry-password-42"
)

// profiles is the .databrickscfg of these tests; TestMain names it to the SDK.
var profiles struct {
	sync.Mutex
	path string
}

// addProfile writes one more profile.
func addProfile(t *testing.T, name, text string) {
	t.Helper()
	profiles.Lock()
	defer profiles.Unlock()
	file, err := os.OpenFile(profiles.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := fmt.Fprintf(file, "[%s]\n%s\n", name, text); err != nil {
		t.Fatal(err)
	}
}

// oauth makes the workspace one that only a service principal's token opens.
func (s *server) oauth() {
	s.open = func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/oidc/.well-known/oauth-authorization-server":
			write(w, http.StatusOK, map[string]any{"token_endpoint": s.http.URL + "/oidc/v1/token", "authorization_endpoint": s.http.URL + "/oidc/v1/authorize"})
		case "/oidc/v1/token":
			id, secret, _ := r.BasicAuth()
			if id != "client-1" || secret != plantedSecret {
				write(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "wrong secret " + secret})
				return true
			}
			write(w, http.StatusOK, map[string]any{"access_token": plantedBearer, "token_type": "Bearer", "expires_in": 3600})
		default:
			return false
		}
		return true
	}
	s.token = plantedBearer
}

// recorder keeps everything that is shown.
type recorder struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (r *recorder) Event(e progress.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = json.NewEncoder(&r.all).Encode(e)
}

// locked is a buffer for several writers.
type locked struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// A workspace that repeats every secret wherever it can: none is to be seen anywhere.
func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	logged := &locked{}
	log.SetOutput(logged) // where the SDK's own logger writes to
	planted := []string{plantedSecret, plantedBearer, plantedPassword, base64.StdEncoding.EncodeToString([]byte("client-1:" + plantedSecret))}
	all := strings.Join(planted[:3], " ")
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(plantedPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, test := range []struct {
		name    string
		script  func(*server)
		verdict verdict.Verdict
	}{
		{"passing", func(*server) {}, verdict.Pass},
		{"refused", func(s *server) { s.script(postCreate, says(400, "INVALID_PARAMETER_VALUE", "basic_auth "+all)) }, verdict.Inconclusive},
		{"failing", func(s *server) {
			s.states, s.ends = [][]string{{"PENDING", "TERMINATED"}}, []map[string]any{{
				"code": "CONTAINER_LAUNCH_FAILURE", "type": "SERVICE_FAULT", "parameters": map[string]any{"databricks_error_message": "pulled with " + all, "instance_id": all},
			}}
		}, verdict.Fail},
		{"not answering", func(s *server) {
			for range 20 {
				s.script(getCluster, says(500, all, all))
			}
		}, verdict.Inconclusive},
		{"a failing probe", func(s *server) {
			s.commands = func(string, string) result {
				return result{kind: "error", summary: "ValueError: " + all, cause: "Traceback\n" + all}
			}
		}, verdict.Fail},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t)
			s.oauth()
			s.commands = func(string, string) result { return result{kind: "text", data: "100 " + all} }
			s.message = " " + all
			s.events = append(s.events, map[string]any{"type": "DRIVER_HEALTHY", "details": map[string]any{
				"driver_state_message": all, "user": all, "attributes": map[string]any{"docker_image": map[string]any{"basic_auth": map[string]any{"password": plantedPassword}}},
			}}, map[string]any{"type": "INIT_SCRIPTS_FINISHED", "details": map[string]any{"init_scripts": map[string]any{"cluster": []map[string]any{
				{"file": map[string]any{"destination": "file:/a.sh"}, "status": "SUCCEEDED", "error_message": all, "stderr": all},
			}}}})
			test.script(s)
			name := fmt.Sprint("secrets-", n)
			addProfile(t, name, "host = "+s.http.URL+"\nclient_id = client-1\nclient_secret = "+plantedSecret+"\nauth_type = oauth-m2m")
			o := s.options()
			o.Host, o.Profile, o.Memory, o.Retries = "", name, filepath.Join(t.TempDir(), "workspaces.json"), 0
			o.Credentials = Credentials{Username: "ci", Password: "file:" + password}
			spec := testSpec(python("1", "100"))
			spec.LogPath = filepath.Join(t.TempDir(), "launch.log")
			target, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			var shown recorder
			result, err := target.Run(progress.With(t.Context(), &shown), spec)
			if err != nil {
				t.Fatal(err)
			}
			if result.Verdict != test.verdict {
				t.Fatalf("%s: %s", result.Verdict, result.Reason)
			}
			text, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			logFile, _ := os.ReadFile(spec.LogPath)
			memory, _ := os.ReadFile(o.Memory)
			findings := fmt.Sprintf("%+v %v", result.Findings(), result.Err())
			for where, seen := range map[string]string{
				"result": string(text), "progress": shown.all.String(), "log file": string(logFile), "memory": string(memory), "findings": findings, "the SDK's log": logged.String(),
			} {
				for _, secret := range planted {
					if strings.Contains(seen, secret) {
						t.Errorf("%q is in the %s:\n%s", secret, where, seen)
					}
				}
			}
			if !strings.Contains(string(text)+shown.all.String(), "***") {
				t.Error("nothing was hidden: the test proves nothing")
			}
			if len(s.left()) > 0 {
				t.Error("a cluster is left")
			}
		})
	}
}

func TestLoggingIn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.oauth()
	addProfile(t, "wrong-secret", "host = "+s.http.URL+"\nclient_id = client-1\nclient_secret = planted-but-wrong\nauth_type = oauth-m2m")
	o := s.options()
	o.Host, o.Profile = "", "wrong-secret"
	result := run(t, o, testSpec())
	if result.Verdict != verdict.Inconclusive || result.Code != launch.CodeConfiguration || strings.Contains(result.Reason, "planted") || !strings.Contains(result.Remedy, "DATABRICKS_") {
		t.Errorf("%s (%s): %s. %s", result.Verdict, result.Code, result.Reason, result.Remedy)
	}
	o.Profile = "nobody-wrote-it"
	if result = run(t, o, testSpec()); result.Code != launch.CodeConfiguration || !strings.Contains(result.Reason, "nobody-wrote-it") {
		t.Errorf("%s (%s): %s. %s", result.Verdict, result.Code, result.Reason, result.Remedy)
	}
	o.Profile, o.Host = "", ""
	if result = run(t, o, testSpec()); result.Code != launch.CodeConfiguration || !strings.Contains(result.Reason, "no workspace is named") {
		t.Errorf("%s (%s): %s. %s", result.Verdict, result.Code, result.Reason, result.Remedy)
	}
	o.Host = "http://127.0.0.1:1"
	if result = run(t, o, testSpec()); result.Code != launch.CodeWorkspace || !strings.Contains(result.Reason, "127.0.0.1:1 does not answer") {
		t.Errorf("%s (%s): %s. %s", result.Verdict, result.Code, result.Reason, result.Remedy)
	}
}
