package emulator

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"
	sdkfiles "github.com/databricks/databricks-sdk-go/service/files"
)

// delivered waits for a log in a volume.
func (b *bench) delivered(name string) string {
	b.t.Helper()
	for range 200 {
		if got, err := sdkfiles.NewFiles(b.api()).DownloadByFilePath(b.t.Context(), name); err == nil {
			text, _ := io.ReadAll(got.Contents)
			got.Contents.Close()
			return string(text)
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatalf("%s was not delivered", name)
	return ""
}

func loud() compute.CreateCluster {
	c := one()
	c.ClusterLogConf = &compute.ClusterLogConf{Volumes: &compute.VolumesStorageInfo{Destination: "/Volumes/main/ops/logs/"}}
	return c
}

func TestLogsAreDeliveredWhileTheClusterRuns(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	b.inMinute = 10 * time.Millisecond
	c := loud()
	c.AutoterminationMinutes = 0
	id := b.create(c)
	b.reach(id, "RUNNING")
	if got := b.delivered("/Volumes/main/ops/logs/" + id + "/driver/log4j-active.log"); !strings.Contains(got, "INFO SparkContext: up") {
		t.Errorf("got %q", got)
	}
	if c, err := b.clusters.GetByClusterId(t.Context(), id); err != nil || c.State != "RUNNING" {
		t.Errorf("the cluster is %+v, %v", c, err)
	}
}

func TestLogsOfADriverThatDoesNotComeUp(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	b.machine.err = &Ended{Code: "SPARK_STARTUP_FAILURE", Type: byService, Driver: true, Logs: Logs{Stdout: "Error: a class is missing\n"}}
	id := b.create(loud())
	b.reach(id, "TERMINATED")
	if got := b.delivered("/Volumes/main/ops/logs/" + id + "/driver/stdout"); got != "Error: a class is missing\n" {
		t.Errorf("got %q", got)
	}
	// The cluster may be deleted for good before its machine is down.
	b.machine.err = nil
	id = b.create(loud())
	b.reach(id, "RUNNING")
	if err := b.clusters.PermanentDeleteByClusterId(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if got := b.delivered("/Volumes/main/ops/logs/" + id + "/driver/stderr"); got != "a warning\n" {
		t.Errorf("got %q", got)
	}
}
