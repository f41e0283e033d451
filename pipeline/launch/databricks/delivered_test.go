package databricks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const (
	listDBFS   = "GET /api/2.0/dbfs/list"
	firstMade  = "1122-000001-abcdefgh"
	volumeLogs = "/Volumes/main/ops/logs"
)

// deliver has files written to the place of the first cluster's logs when it is deleted.
func (s *server) deliver(to string, files map[string]string) {
	s.before(removal, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, text := range files {
			s.files[to+"/"+firstMade+"/"+name], s.written[to+"/"+firstMade+"/"+name] = text, time.Now()
		}
	})
}

// logOf launches with logs delivered to a place, and returns what was kept of them.
func logOf(t *testing.T, s *server, to string) (*launch.Result, string) {
	t.Helper()
	o, spec := s.options(), testSpec(python("1", "100"))
	o.LogDelivery, spec.LogPath = to, filepath.Join(t.TempDir(), "launch.log")
	if strings.HasPrefix(to, "s3:") {
		o.LogRegion = "eu-west-1"
	}
	result := run(t, o, spec)
	text, err := os.ReadFile(spec.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	return result, string(text)
}

func wrongAnswer(string, string) result { return result{kind: "text", data: "7\n"} }

func TestDeliveredLogsAreJoined(t *testing.T) {
	t.Parallel()
	secret.Mask("planted-in-a-delivered-log")
	long := "half a planted-secret-of-the-beginning" + strings.Repeat("\nx", deliveredTail/2)
	files := map[string]string{
		"driver/stdout": "\x1b]0;mine\x07up\u202e\n", "driver/stderr": long + "\nthe end of stderr\n", "driver/log4j-active.log": "ERROR it failed with planted-in-a-delivered-log\n",
		"driver/stdout--2025-11-22--00-00": "of an hour ago\n", "driver/eventlog/1/events": "{}",
		"init_scripts/" + firstMade + "_10_0_0_1/20251122_000000_00_a.sh.stderr.log": "no such package\n",
		"init_scripts/" + firstMade + "_10_0_0_1/20251122_000000_00_a.sh.stdout.log": "",
	}
	for _, test := range []struct {
		to        string
		rangeless bool
	}{{to: "dbfs:/logs"}, {to: "dbfs:/logs/"}, {to: volumeLogs}, {to: volumeLogs, rangeless: true}} {
		t.Run(strings.Trim(strings.NewReplacer(":", "", "/", " ").Replace(test.to), " "), func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.commands, s.rangeless = wrongAnswer, test.rangeless
			s.deliver(strings.TrimRight(test.to, "/"), files)
			got, log := logOf(t, s, test.to)
			if got.Verdict != verdict.Fail || got.Code != launch.CodeProbe {
				t.Errorf("%s %s: %s", got.Verdict, got.Code, got.Reason)
			}
			if _, joined, _ := strings.Cut(log, "[init_scripts/"); !strings.HasPrefix(joined, `20251122_000000_00_a.sh.stderr.log] no such package
[driver/stdout] up�
[driver/log4j-active.log] ERROR it failed with ***
[delivered] the first `) || !strings.HasSuffix(joined, "[driver/stderr] x\n[driver/stderr] the end of stderr\n") {
				t.Errorf("the log is %.3000s", joined)
			}
			for _, no := range []string{"planted", "hour ago", "{}", "\x1b", "end may be missing"} {
				if strings.Contains(log, no) {
					t.Errorf("the log has %q", no)
				}
			}
			if !strings.HasSuffix(got.LogTail, "the end of stderr\n") {
				t.Errorf("people see %q", got.LogTail)
			}
		})
	}
}

func TestWhatIsNotDelivered(t *testing.T) {
	t.Parallel()
	ends := func(code, kind string) func(*server) {
		return func(s *server) {
			for range 3 {
				s.states, s.ends = append(s.states, []string{"PENDING", "TERMINATED"}), append(s.ends, reason(code, kind))
			}
		}
	}
	fails := func(s *server) { s.commands = wrongAnswer }
	for _, test := range []struct {
		name    string
		to      string
		script  func(*server)
		verdict verdict.Verdict
		line    string // of the log
		looks   int    // at the two folders
	}{
		{"in a bucket", "s3://bucket/logs", fails, verdict.Fail, "the driver's logs are delivered to s3://bucket/logs/" + firstMade + ", not readable from here", 0},
		{"nothing comes", "dbfs:/logs", fails, verdict.Fail, "nothing was delivered to dbfs:/logs/" + firstMade + " within 21s of the cluster's end; look there later", 2 * (deliveryRounds + 1)},
		{"nobody waits for what passed", "dbfs:/logs", func(*server) {}, verdict.Pass, "nothing is delivered to dbfs:/logs/" + firstMade + " yet", 2},
		{"nor for what never began", "dbfs:/logs", ends("CLOUD_PROVIDER_LAUNCH_FAILURE", "CLOUD_FAILURE"), verdict.Inconclusive, "nothing is delivered to dbfs:/logs/" + firstMade + " yet", 3 * 2},
		{"the image is at fault, and its container's output may come", "dbfs:/logs", ends("CONTAINER_LAUNCH_FAILURE", "SERVICE_FAULT"), verdict.Fail, "nothing was delivered", 2 * (deliveryRounds + 1)},
		{"nobody may read it", "dbfs:/logs", func(s *server) {
			s.commands = wrongAnswer
			s.script(listDBFS, says(403, "PERMISSION_DENIED", "you may not"))
		}, verdict.Fail, "cannot be read: listing dbfs:/logs/" + firstMade + "/init_scripts: the workspace answers with status 403 (PERMISSION_DENIED: you may not)", 1},
		{"one file may not be read", "dbfs:/logs", func(s *server) {
			s.commands = wrongAnswer
			s.deliver("dbfs:/logs", map[string]string{"driver/stdout": "a\n", "driver/stderr": "b\n"})
			s.script("GET /api/2.0/dbfs/read", says(403, "PERMISSION_DENIED", "you may not"))
		}, verdict.Fail, "dbfs:/logs/" + firstMade + "/driver/stdout cannot be read: reading dbfs:/logs/" + firstMade + "/driver/stdout: the workspace answers with status 403 (PERMISSION_DENIED: you may not)\n[driver/stderr] b\n", 4},
		{"the end does not come", "dbfs:/logs", func(s *server) {
			s.commands = wrongAnswer
			name := "dbfs:/logs/" + firstMade + "/driver/stdout"
			s.files[name], s.written[name] = "a\n", time.Now().Add(-time.Minute)
		}, verdict.Fail, "was not delivered to dbfs:/logs/" + firstMade + " within 21s of the cluster's end: their end may be missing here\n[driver/stdout] a\n", 2 * (deliveryRounds + 1)},
		{"it still grows", "dbfs:/logs", func(s *server) {
			s.commands = wrongAnswer
			s.deliver("dbfs:/logs", map[string]string{"driver/stdout": "a\n"})
			for i := range 4 { // two looks
				s.script(listDBFS, func(http.ResponseWriter, *http.Request) bool {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.files["dbfs:/logs/"+firstMade+"/driver/stdout"] += fmt.Sprintln(i)
					return false
				})
			}
		}, verdict.Fail, "[driver/stdout] a\n[driver/stdout] 0\n[driver/stdout] 1\n[driver/stdout] 2\n[driver/stdout] 3\n", 2 * 3},
		{"a cluster that ended by itself has delivered already", "dbfs:/logs", func(s *server) {
			ends("CONTAINER_LAUNCH_FAILURE", "SERVICE_FAULT")(s)
			name := "dbfs:/logs/" + firstMade + "/driver/stderr" // at the time of the server's events
			s.files[name], s.written[name] = "no such class\n", time.UnixMilli(1763800004000)
		}, verdict.Fail, "[driver/stderr] no such class\n", 2 * 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			test.script(s)
			got, log := logOf(t, s, test.to)
			if got.Verdict != test.verdict || len(s.left()) != 0 {
				t.Errorf("%s: %s; left %v", got.Verdict, got.Reason, s.left())
			}
			if !strings.Contains(log, test.line) {
				t.Errorf("the log is\n%s", log)
			}
			if n := s.count(listDBFS); n != test.looks {
				t.Errorf("looked %d times, want %d", n, test.looks)
			}
		})
	}
}

// Whoever interrupts does not wait for logs, neither while a probe runs nor while they are waited for.
func TestInterruptsDoNotWaitForLogs(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]string{"under a probe": execute, "while they are waited for": listDBFS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.commands, s.lax = wrongAnswer, true
			ctx, cancel := context.WithCancel(t.Context())
			s.before(at, cancel)
			o := s.options()
			o.LogDelivery, o.wait = "dbfs:/logs", pause.For
			target, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			_, err = target.Run(ctx, testSpec(python("1", "100")))
			if !errors.Is(err, context.Canceled) || time.Since(begun) > deliveryPause {
				t.Errorf("%v after %s", err, time.Since(begun))
			}
			if n := s.count(listDBFS); n > 1 || len(s.left()) != 0 {
				t.Errorf("looked %d times; left %v", n, s.left())
			}
		})
	}
}
