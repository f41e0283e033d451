//go:build real

package real

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/files"
)

// workspace is a running `hallmark emulate databricks`, and the official client's view of it.
type workspace struct {
	host, token string
	api         *client.DatabricksClient
	clusters    *compute.ClustersAPI
	commands    *compute.CommandExecutionAPI
	said        strings.Builder
}

// emulate starts the verb on the home, and sees that it ends well.
func emulate(t *testing.T, h home, args ...string) *workspace {
	t.Helper()
	cmd := exec.Command(program, append([]string{"emulate", "databricks", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "HALLMARK_HOME="+h.dir)
	cmd.Env = append(cmd.Env, h.env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w := &workspace{}
	cmd.Stderr = &w.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for w.token == "" && lines.Scan() {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		switch name {
		case "DATABRICKS_HOST":
			w.host = value
		case "DATABRICKS_TOKEN":
			file := strings.TrimSuffix(strings.TrimPrefix(value, `"$(cat '`), `')"`)
			text, err := os.ReadFile(file)
			if info, failed := os.Stat(file); err != nil || failed != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("the token's file: %v, %v", err, failed)
			}
			w.token = strings.TrimSpace(string(text))
		}
	}
	if w.token == "" {
		_ = cmd.Wait()
		t.Fatalf("the emulator does not come up: %s", w.said.String())
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-ended:
			if code := cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the emulator ended with %d: %s", code, w.said.String())
			}
		case <-time.After(2 * time.Minute):
			_ = cmd.Process.Kill()
			t.Error("the emulator does not end")
		}
		if strings.Contains(w.said.String(), w.token) {
			t.Error("the token stands in what it says")
		}
	})
	api, err := client.New(&config.Config{Host: w.host, Token: w.token, ConfigFile: os.DevNull, AuthType: "pat"})
	if err != nil {
		t.Fatal(err)
	}
	w.api, w.clusters, w.commands = api, compute.NewClusters(api), compute.NewCommandExecution(api)
	return w
}

// single is the request for a single node with the image.
func single(image string) compute.CreateCluster {
	return compute.CreateCluster{
		ClusterName: "test", SparkVersion: "16.4.x-scala2.12", NodeTypeId: "m5d.large", Kind: compute.KindClassicPreview, IsSingleNode: true,
		DataSecurityMode: compute.DataSecurityModeSingleUser, AutoterminationMinutes: 30, DockerImage: &compute.DockerImage{Url: image},
		ClusterLogConf: &compute.ClusterLogConf{Dbfs: &compute.DbfsStorageInfo{Destination: "dbfs:/logs"}},
	}
}

func (w *workspace) launch(t *testing.T, c compute.CreateCluster) (*compute.ClusterDetails, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	wait, err := w.clusters.Create(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return wait.GetWithTimeout(5 * time.Minute)
}

// delivered waits for a log of a cluster, in the folder or one below it.
func (w *workspace) delivered(t *testing.T, id, folder, ending string) string {
	t.Helper()
	dbfs := files.NewDbfs(w.api)
	for range 100 {
		found, _ := dbfs.RecursiveList(t.Context(), "/logs/"+id+"/"+folder)
		for _, log := range found {
			if strings.HasSuffix(log.Path, ending) {
				text, err := dbfs.ReadFile(t.Context(), log.Path)
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("no log %s*%s of %s was delivered", folder, ending, id)
	return ""
}
