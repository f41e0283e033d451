package pipeline

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks/emulator"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// driverWithLogs is a machine whose driver answers every command with 7, and writes more than a launch fetches.
type driverWithLogs struct{ gone chan struct{} }

func (d driverWithLogs) Start(context.Context, emulator.Launch, func(emulator.Progress)) (emulator.Node, error) {
	return d, nil
}
func (d driverWithLogs) Session(string) emulator.Session           { return d }
func (d driverWithLogs) Put(context.Context, string, []byte) error { return nil }
func (d driverWithLogs) Gone() <-chan struct{}                     { return d.gone }
func (d driverWithLogs) Why() string                               { return "" }
func (d driverWithLogs) Stop(context.Context) error                { return nil }
func (d driverWithLogs) Able(string) error                         { return nil }
func (d driverWithLogs) Close(context.Context) error               { return nil }
func (d driverWithLogs) Logs() emulator.Logs {
	return emulator.Logs{Stdout: strings.Repeat("many lines\n", 50_000) + "the end\n", Log4j: "25/11/22 00:00:00 WARN Utils: no\n"}
}

func (d driverWithLogs) Run(context.Context, string, string) (emulator.Answer, error) {
	return emulator.Answer{Kind: "text", Text: "7"}, nil
}

// A launch fetches from the emulated workspace what that delivers of a driver's logs after the deletion, by both APIs.
func TestDeliveredLogsOfTheEmulator(t *testing.T) {
	server, err := emulator.New(emulator.Options{Machine: driverWithLogs{make(chan struct{})}, Pace: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	for name, value := range map[string]string{"HOST": web.URL, "TOKEN": server.Token(), "AUTH_TYPE": "pat", "CONFIG_FILE": os.DevNull} {
		t.Setenv("DATABRICKS_"+name, value)
	}
	var both sync.WaitGroup // at once: each waits for its logs
	defer both.Wait()
	for _, to := range []string{"dbfs:/logs", "/Volumes/main/ops/logs"} {
		log := filepath.Join(t.TempDir(), "launch.log")
		both.Go(func() {
			target, err := databricks.New(databricks.Options{
				Settings: databricks.Settings{Runtime: "16.4", NodeType: databricks.Smallest, LogDelivery: to}, Tag: "registry.example.com/dbr:staging-1",
			})
			if err != nil {
				t.Error(err)
				return
			}
			result, err := target.Run(t.Context(), launch.Spec{
				Subject: subject.Subject{Repository: "registry.example.com/dbr", Digest: "sha256:" + strings.Repeat("a", 64)}, Profile: launch.Databricks,
				Probes: []launch.Probe{{Kind: launch.Python, Code: "1", Contains: "8"}}, Timeout: time.Minute, RunID: "20261122-001122-abcdef", LogPath: log,
			})
			if err != nil || result.Verdict != verdict.Fail || result.Code != launch.CodeProbe {
				t.Errorf("%s: %v: %+v", to, err, result)
				return
			}
			text, err := os.ReadFile(log)
			if err != nil {
				t.Error(err)
			}
			for want, times := range map[string]int{
				"[driver/stdout] the end\n": 1, "[driver/stdout] many lines\n": (256<<10 - len("the end\n")) / len("many lines\n"), "[driver/log4j-active.log] 25/11/22 00:00:00 WARN Utils: no\n": 1,
				"the first 287": 1, "may be missing": 0, "cannot be read": 0,
			} {
				if n := strings.Count(string(text), want); n != times {
					t.Errorf("%s: %d times %q, want %d", to, n, want, times)
				}
			}
			if !strings.HasSuffix(result.LogTail, "WARN Utils: no\n") {
				t.Errorf("people see %.300s", result.LogTail)
			}
		})
	}
}
