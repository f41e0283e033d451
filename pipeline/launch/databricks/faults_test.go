package databricks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const (
	postCreate = "POST /api/2.1/clusters/create"
	getCluster = "GET /api/2.1/clusters/get"
	getStatus  = "GET /api/1.2/commands/status"
	execute    = "POST /api/1.2/commands/execute"
	removal    = "POST /api/2.1/clusters/permanent-delete"
)

func reason(code, kind string) map[string]any {
	return map[string]any{"code": code, "type": kind, "parameters": map[string]any{"databricks_error_message": "the words of " + code}}
}

// TestFaults injects what goes wrong, and wants the right one to be blamed, the right number of clusters, and none left.
func TestFaults(t *testing.T) {
	t.Parallel()
	times := func(n int, a answer) []answer {
		all := make([]answer, n)
		for i := range all {
			all[i] = a
		}
		return all
	}
	for _, test := range []struct {
		name    string
		script  func(*server)
		verdict verdict.Verdict
		code    string
		reason  string
		created int
	}{
		{"throttled at the creation", func(s *server) {
			s.script(postCreate, times(3, says(429, "REQUEST_LIMIT_EXCEEDED", "slow down", "Retry-After", "2"))...)
		}, verdict.Pass, "", "", 1},
		{"throttled for ever", func(s *server) {
			s.script(postCreate, times(100, says(429, "REQUEST_LIMIT_EXCEEDED", "slow down"))...)
		}, verdict.Inconclusive, launch.CodeWorkspace, "status 429 (REQUEST_LIMIT_EXCEEDED: slow down)", 0},
		{"bad moments everywhere", func(s *server) {
			for _, request := range []string{getCluster, getStatus, "GET /api/2.0/preview/scim/v2/Me", "POST /api/1.2/contexts/create", "GET /api/1.2/contexts/status", removal, "POST /api/2.1/clusters/events"} {
				s.script(request, says(503, "TEMPORARILY_UNAVAILABLE", "try again", "Retry-After", "1"), says(500, "INTERNAL_ERROR", "oops"), lost)
			}
		}, verdict.Pass, "", "", 1},
		{"a web page instead of an answer", func(s *server) {
			s.script("GET /api/2.1/clusters/spark-versions", times(20, func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusBadGateway)
				fmt.Fprint(w, "<!DOCTYPE html><html><body>Bad gateway</body></html>")
				return true
			})...)
		}, verdict.Inconclusive, launch.CodeWorkspace, "status 502", 0},
		{"refused", func(s *server) {
			s.script(postCreate, times(9, says(403, "PERMISSION_DENIED", "You are not authorized to create clusters"))...)
		}, verdict.Inconclusive, launch.CodeConfiguration, "You are not authorized to create clusters", 0},
		{"a quota", func(s *server) {
			s.script(postCreate, times(9, says(400, "QUOTA_EXCEEDED", "The quota for the number of clusters has been reached"))...)
		}, verdict.Inconclusive, launch.CodeConfiguration, "quota for the number of clusters", 0},
		{"the creation's answer is lost", func(s *server) { s.script(postCreate, s.doneAndLost) }, verdict.Pass, "", "", 1},
		{"the creation fails with 500, and was done", func(s *server) {
			s.script(postCreate, func(w http.ResponseWriter, r *http.Request) bool {
				s.doneAndLostQuietly(r)
				return says(500, "INTERNAL_ERROR", "oops")(w, r)
			})
		}, verdict.Pass, "", "", 1},
		{"the creation's answer is lost three times", func(s *server) {
			s.script(postCreate, s.doneAndLost, s.doneAndLost, s.doneAndLost)
		}, verdict.Pass, "", "", 1},
		{"the creation's answer is always lost", func(s *server) {
			s.script(postCreate, times(3*(mostRetries+1), s.doneAndLost)...)
		}, verdict.Inconclusive, launch.CodeWorkspace, "does not answer", 3},
		{"the cluster has ended when its creation is asked for again", func(s *server) {
			s.states, s.ends = [][]string{{"TERMINATED"}}, []map[string]any{reason("CLOUD_PROVIDER_LAUNCH_FAILURE", "CLOUD_FAILURE")}
			s.script(postCreate, s.doneAndLost)
		}, verdict.Pass, "", "", 2},
		{"the token is refused", func(s *server) {
			s.tokenless = true
			s.script(postCreate, says(400, "INVALID_PARAMETER_VALUE", "Unknown field: idempotency_token"), s.doneAndLost)
			s.script(postCreate, says(400, "INVALID_PARAMETER_VALUE", "Unknown field: idempotency_token"))
		}, verdict.Pass, "", "", 2},
		{"the cloud has no machines, once", func(s *server) {
			s.states, s.ends = [][]string{{"PENDING", "TERMINATED"}}, []map[string]any{reason("CLOUD_PROVIDER_LAUNCH_FAILURE", "CLOUD_FAILURE")}
		}, verdict.Pass, "", "", 2},
		{"the cloud has no machines", func(s *server) {
			for range 5 {
				s.states, s.ends = append(s.states, []string{"PENDING", "TERMINATING", "TERMINATED"}), append(s.ends, reason("CLOUD_PROVIDER_LAUNCH_FAILURE", "CLOUD_FAILURE"))
			}
		}, verdict.Inconclusive, "", "the words of CLOUD_PROVIDER_LAUNCH_FAILURE", 3},
		{"the image does not start", func(s *server) {
			s.states, s.ends = [][]string{{"PENDING", "TERMINATED"}}, []map[string]any{reason("CONTAINER_LAUNCH_FAILURE", "SERVICE_FAULT")}
		}, verdict.Fail, "", "the words of CONTAINER_LAUNCH_FAILURE", 1},
		{"a setting is wrong", func(s *server) {
			s.states, s.ends = [][]string{{"TERMINATED"}}, []map[string]any{reason("INVALID_ARGUMENT", "CLIENT_ERROR")}
		}, verdict.Inconclusive, launch.CodeConfiguration, "the words of INVALID_ARGUMENT", 1},
		{"the reason stands in the events alone", func(s *server) {
			s.states = [][]string{{"PENDING", "TERMINATED"}}
			s.events = append(s.events, map[string]any{"type": "TERMINATING", "details": map[string]any{"reason": reason("CONTAINER_LAUNCH_FAILURE", "SERVICE_FAULT")}})
		}, verdict.Fail, "", "the words of CONTAINER_LAUNCH_FAILURE", 1},
		{"an init script fails", func(s *server) {
			s.states, s.ends = [][]string{{"PENDING", "TERMINATED"}}, []map[string]any{reason("INIT_SCRIPT_FAILURE", "CLIENT_ERROR")}
			s.events = append(s.events, map[string]any{"type": "INIT_SCRIPTS_FINISHED", "details": map[string]any{"init_scripts": map[string]any{"cluster": []map[string]any{
				{"file": map[string]any{"destination": "file:/opt/init.sh"}, "status": "FAILED_EXECUTION", "error_message": "Script exit status is non-zero: 7", "execution_duration_seconds": 3},
			}}}})
		}, "", "", "file:/opt/init.sh", 1},
		{"somebody deletes the cluster", func(s *server) {
			s.script(getCluster, usual, says(400, "INVALID_PARAMETER_VALUE", "Cluster 1122-000001-abcdefgh does not exist"))
		}, verdict.Pass, "", "", 2},
		{"the spot machine goes while a probe runs", func(s *server) {
			s.ends = []map[string]any{reason("SPOT_INSTANCE_TERMINATION", "CLOUD_FAILURE")}
			s.states = [][]string{{"RUNNING", "TERMINATED"}}
			s.script(getStatus, says(400, "", "ClusterNotReadyException: Cluster is terminated"))
		}, verdict.Pass, "", "", 2},
		{"the driver dies under a probe, and the cluster with it", func(s *server) {
			s.states, s.ends = [][]string{{"RUNNING", "RUNNING", "TERMINATED"}}, []map[string]any{reason("DRIVER_UNREACHABLE", "SERVICE_FAULT")}
			s.commands = func(string, string) result {
				return result{kind: "error", summary: "The spark driver has stopped unexpectedly and is restarting. Your notebook will be automatically reattached."}
			}
		}, verdict.Fail, "", "the words of DRIVER_UNREACHABLE", 1},
		{"the cluster ends under a command that says only that its program has", func(s *server) {
			s.states, s.ends = [][]string{{"RUNNING", "TERMINATED"}}, []map[string]any{reason("SPOT_INSTANCE_TERMINATION", "CLOUD_FAILURE")}
			n := 0
			s.commands = func(string, string) result {
				if n++; n > 1 {
					return result{kind: "text", data: "100"}
				}
				return result{kind: "error", summary: "SystemExit: 1"}
			}
		}, verdict.Pass, "", "", 2},
		{"the driver dies under a probe, and the cluster goes on", func(s *server) {
			s.commands = func(string, string) result {
				return result{kind: "error", summary: "The spark driver has stopped unexpectedly and is restarting."}
			}
		}, verdict.Fail, "", "has stopped unexpectedly", 1},
		{"a probe fails by itself", func(s *server) {
			s.commands = func(string, string) result {
				return result{kind: "error", summary: `<span class="ansi-red-fg">ModuleNotFoundError</span>: No module named &#39;six&#39;`, cause: "---\n\x1b[0;31mModuleNotFoundError\x1b[0m: No module named 'six'"}
			}
		}, verdict.Fail, launch.CodeProbe, "No module named 'six'", 1},
		{"a probe answers something else", func(s *server) { s.commands = func(string, string) result { return result{kind: "text", data: "99"} } }, verdict.Fail, launch.CodeProbe, `does not contain "100"`, 1},
		{"a command is cancelled from outside", func(s *server) {
			n := 0
			s.commands = func(string, string) result {
				if n++; n > 1 {
					return result{kind: "text", data: "100"}
				}
				return result{kind: "text", status: "Cancelled"}
			}
		}, verdict.Pass, "", "", 2},
		{"putting a command is not answered", func(s *server) { s.script(execute, lost) }, verdict.Pass, "", "", 2},
		{"there is no Python in the image", func(s *server) { s.noPython = true }, verdict.Fail, launch.CodeProbe, "no python code does in it", 1},
		{"the driver dies before the first command", func(s *server) {
			s.noPython, s.states, s.ends = true, [][]string{{"RUNNING", "TERMINATED"}}, []map[string]any{reason("SPOT_INSTANCE_TERMINATION", "CLOUD_FAILURE"), reason("SPOT_INSTANCE_TERMINATION", "CLOUD_FAILURE"), reason("SPOT_INSTANCE_TERMINATION", "CLOUD_FAILURE")}
			s.states = append(s.states, s.states[0], s.states[0])
		}, verdict.Inconclusive, "", "the words of SPOT_INSTANCE_TERMINATION", 3},
		{"the driver does not respond at the first command", func(s *server) {
			s.noPython = true
			s.events = append(s.events, map[string]any{"type": "DRIVER_HEALTHY"}, map[string]any{"type": "DRIVER_NOT_RESPONDING", "details": map[string]any{"driver_state_message": "it is gone"}})
		}, verdict.Fail, launch.CodeDriver, "it is gone", 1},
		{"a deletion is refused", func(s *server) { s.script(removal, says(403, "PERMISSION_DENIED", "only admins")) }, verdict.Pass, "", "", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			o := s.options()
			o.Memory = t.TempDir() + "/workspaces.json"
			remember(o.Memory, s.http.URL, true)
			test.script(s)
			result := run(t, o, testSpec(python("1", "100")))
			if test.verdict != "" && result.Verdict != test.verdict {
				t.Errorf("%s (%s): %s", result.Verdict, result.Code, result.Reason)
			}
			if test.code != "" && result.Code != test.code || !strings.Contains(result.Reason, test.reason) {
				t.Errorf("code %s, reason %q", result.Code, result.Reason)
			}
			if result.Verdict == verdict.Inconclusive && (result.Remedy == "" || strings.HasSuffix(result.Reason, ".")) {
				t.Errorf("reason %q, remedy %q", result.Reason, result.Remedy)
			}
			if len(s.order) != test.created {
				t.Errorf("%d clusters were created", len(s.order))
			}
			if test.name == "the token is refused" && s.tokenless && result.Verdict == verdict.Pass && s.count(postCreate) < 3 {
				t.Errorf("requests %v", s.requests)
			}
			for id, c := range s.clusters {
				if test.name != "a deletion is refused" || c.states[0] != "TERMINATED" {
					t.Errorf("the cluster %s is left", id)
				}
			}
		})
	}
}

func TestThrottlingIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o := s.options()
	var mu sync.Mutex
	var waits []time.Duration
	o.wait = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		waits = append(waits, d)
		mu.Unlock()
		return pause.For(ctx, 0)
	}
	s.script(postCreate, says(429, "REQUEST_LIMIT_EXCEEDED", "slow down", "Retry-After", "7"), says(429, "REQUEST_LIMIT_EXCEEDED", "slow down", "Retry-After", "3600"))
	spec := testSpec()
	spec.Timeout = time.Hour
	if result := run(t, o, spec); result.Verdict != verdict.Pass {
		t.Fatal(result.Reason)
	}
	if len(waits) < 2 || waits[0] != 7*time.Second || waits[1] != longestAsked {
		t.Errorf("waited %v", waits)
	}
}

// An interrupt, in whatever phase, leaves no cluster.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		"GET /.well-known/databricks-config", "GET /api/2.0/preview/scim/v2/Me", postCreate, getCluster, "POST /api/1.2/contexts/create", "GET /api/1.2/contexts/status", execute, getStatus,
		"POST /api/2.1/clusters/events", "POST /api/1.2/contexts/destroy", removal,
	} {
		t.Run(request, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.lax = true
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.before(request, func() { cancel(); time.Sleep(20 * time.Millisecond) })
			target, err := New(s.options())
			if err != nil {
				t.Fatal(err)
			}
			result, err := target.Run(ctx, testSpec(python("1", "")))
			if !errors.Is(err, context.Canceled) || result == nil || result.Verdict != verdict.Inconclusive || result.Code != launch.CodeInterrupted {
				t.Errorf("%v, %+v", err, result)
			}
			if left := s.left(); len(left) > 0 {
				t.Errorf("clusters are left: %v", left)
			}
		})
	}
}

// A workspace that hangs is not the image's fault, whoever's deadline it is that ends the waiting.
func TestHanging(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		request string
		hangs   int
		verdict verdict.Verdict
	}{
		{"GET /api/2.1/clusters/spark-versions", 99, verdict.Inconclusive},
		{getCluster, 99, verdict.Inconclusive},
		{"POST /api/1.2/contexts/create", 99, verdict.Inconclusive}, // no command was taken: nothing of the image ran
		{"GET /api/1.2/contexts/status", 99, verdict.Inconclusive},
		{"POST /api/1.2/commands/execute", 99, verdict.Inconclusive},
		{getStatus, 1, verdict.Fail}, // the cluster is well, and the command is not done: a hanging probe
	} {
		t.Run(test.request, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			for range test.hangs {
				s.script(test.request, hangs)
			}
			spec := testSpec(launch.Probe{Kind: launch.Python, Code: "1", Timeout: 500 * time.Millisecond})
			spec.Timeout = 1500 * time.Millisecond
			result := run(t, s.options(), spec)
			if result.Verdict != test.verdict {
				t.Errorf("%s (%s): %s", result.Verdict, result.Code, result.Reason)
			}
			if strings.HasPrefix(test.request, "POST") && (result.Code != launch.CodeWorkspace || !strings.Contains(result.Reason, "took no command")) {
				t.Errorf("(%s) %s", result.Code, result.Reason)
			}
			if left := s.left(); len(left) > 0 {
				t.Errorf("clusters are left: %v", left)
			}
		})
	}
}

// A cluster that stays PENDING ends with what the workspace last said of it.
func TestNeverRuns(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.states = [][]string{{"PENDING"}}
	spec := testSpec()
	spec.Timeout = 300 * time.Millisecond
	result := run(t, s.options(), spec)
	if result.Verdict != verdict.Inconclusive || result.Code != launch.CodeTimeout || !strings.Contains(result.Reason, "PENDING: the message of PENDING") || len(s.left()) > 0 {
		t.Errorf("%s (%s): %s; left %v", result.Verdict, result.Code, result.Reason, s.left())
	}
}

// A command that does not end is the image's fault, when the workspace is well; its context is given up.
func TestProbeOverdue(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := 0
	s.commands = func(string, string) result {
		if n++; n == 1 {
			return result{kind: "text", polls: 1 << 30}
		}
		return result{kind: "text", data: "100"}
	}
	slow := launch.Probe{Kind: launch.Python, Name: "slow", Code: "1", Timeout: 100 * time.Millisecond}
	result := run(t, s.options(), testSpec(slow, python("2", "100")))
	if result.Verdict != verdict.Fail || !strings.Contains(result.Reason, "slow does not end within 100ms") || result.Probes[1].Verdict != verdict.Pass {
		t.Errorf("%s: %s; %+v", result.Verdict, result.Reason, result.Probes)
	}
	if s.count("POST /api/1.2/commands/cancel") != 1 || s.count("POST /api/1.2/contexts/create") != 2 {
		t.Errorf("requests: %v", s.requests)
	}
}

// A fresh cluster is not tried when there is no time for one: the cause would be hidden behind a deadline.
func TestNoTimeForAFreshCluster(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.states, s.ends = [][]string{{"PENDING", "PENDING", "TERMINATED"}}, []map[string]any{reason("CLOUD_PROVIDER_LAUNCH_FAILURE", "CLOUD_FAILURE")}
	o := s.options()
	o.wait = func(ctx context.Context, _ time.Duration) error { return pause.For(ctx, 300*time.Millisecond) }
	spec := testSpec()
	spec.Timeout = time.Second
	result := run(t, o, spec)
	if result.Verdict != verdict.Inconclusive || !strings.Contains(result.Reason, "CLOUD_PROVIDER_LAUNCH_FAILURE") || len(s.order) != 1 {
		t.Errorf("%s after %d clusters: %s", result.Verdict, len(s.order), result.Reason)
	}
	if last := result.Events[len(result.Events)-1].Text; !strings.Contains(last, "no fresh cluster is tried") {
		t.Errorf("the last event is %q", last)
	}
}

// Each attempt's log is kept, and the result of the last tells of those before.
func TestAttemptsAreTold(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.states, s.ends = [][]string{{"TERMINATED"}}, []map[string]any{reason("CLOUD_PROVIDER_LAUNCH_FAILURE", "CLOUD_FAILURE")}
	spec := testSpec(python("1", "100"))
	spec.LogPath = t.TempDir() + "/launch.log"
	result := run(t, s.options(), spec)
	if result.Verdict != verdict.Pass || result.LogPath != strings.TrimSuffix(spec.LogPath, ".log")+"-2.log" {
		t.Errorf("%s: %s; log %s", result.Verdict, result.Reason, result.LogPath)
	}
	first, err := os.ReadFile(spec.LogPath)
	if err != nil || !strings.Contains(string(first), "CLOUD_PROVIDER_LAUNCH_FAILURE") {
		t.Errorf("%v: %s", err, first)
	}
	told := false
	for _, event := range result.Events {
		told = told || strings.Contains(event.Text, "attempt 1 ended") && strings.Contains(event.Text, "CLOUD_PROVIDER_LAUNCH_FAILURE")
	}
	if !told {
		t.Errorf("%+v", result.Events)
	}
}
