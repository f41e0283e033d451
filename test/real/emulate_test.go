//go:build real

package real

import (
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/files"
	sdkworkspace "github.com/databricks/databricks-sdk-go/service/workspace"
)

// The image is the one of the profile's own tests. It lies in a private registry, for which the emulator's own
// environment has the password: that must not help.
func TestEmulateDatabricks(t *testing.T) {
	const user, password = "puller", "hush-hush-registry"
	h, dir := newHome(t), platformProject(t)
	host := privateRegistry(t, user, password)
	h.env = append(h.env, "HALLMARK_DEMO_CACHE="+os.Getenv("HALLMARK_DEMO_CACHE"),
		"HALLMARK_REGISTRY_HOST="+host, "HALLMARK_REGISTRY_USERNAME="+user, "HALLMARK_REGISTRY_PASSWORD="+password)
	settings := []string{"--set", "image=" + host + "/platform", "--set", "launch=[]", "--set", "promote.require=[signature]"}
	staged := h.call(t, append(append([]string{"run", dir}, settings...), demoInputs(t)...)...).want(t, 0)
	image := staged.report.StagingTag
	w := emulate(t, h, "--memory", "4Gi")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the emulator said: %s", w.said.String())
		}
		if strings.Contains(w.said.String(), password) {
			t.Error("the registry's password stands in what the emulator says")
		}
	})
	wheel, err := os.ReadFile(filepath.Join(dir, "wheels", "tiny_tool-1.0-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	dbfs, secrets := files.NewDbfs(w.api), sdkworkspace.NewSecrets(w.api)
	err = errors.Join(
		dbfs.Put(t.Context(), files.Put{Path: "/wheels/tiny_tool-1.0-py3-none-any.whl", Contents: base64.StdEncoding.EncodeToString(wheel)}),
		secrets.CreateScope(t.Context(), sdkworkspace.CreateScope{Scope: "registry"}),
		secrets.PutSecret(t.Context(), sdkworkspace.PutSecret{Scope: "registry", Key: "password", StringValue: password}),
	)
	script := func(name, text string) compute.InitScriptInfo {
		upload := sdkworkspace.NewWorkspace(w.api).Upload(t.Context(), "/Shared/"+name, strings.NewReader(text), sdkworkspace.UploadFormat(sdkworkspace.ImportFormatAuto))
		err = errors.Join(err, upload)
		return compute.InitScriptInfo{Workspace: &compute.WorkspaceStorageInfo{Destination: "/Shared/" + name}}
	}
	local, wrong := script("local.sh", platformFiles["local.sh"]), script("wrong.sh", platformFiles["wrong.sh"])
	if err != nil {
		t.Fatal(err)
	}
	inside := compute.InitScriptInfo{File: &compute.LocalFileInfo{Destination: "file:/opt/good.sh"}}

	for _, test := range []struct {
		name   string
		change func(*compute.CreateCluster)
		code   compute.TerminationReasonCode
		want   string
	}{
		{"without credentials", func(c *compute.CreateCluster) { c.DockerImage.BasicAuth = nil }, compute.TerminationReasonCodeDockerImagePullFailure, "invalid credential"},
		{"with a wrong password", func(c *compute.CreateCluster) { c.DockerImage.BasicAuth.Password = "wrong" }, compute.TerminationReasonCodeDockerImagePullFailure, "invalid credential"},
		{"of another tag", func(c *compute.CreateCluster) { c.DockerImage.Url = host + "/platform:none" }, compute.TerminationReasonCodeDockerImagePullFailure, "doesn't exist"},
		{"of a registry that is not there", func(c *compute.CreateCluster) { c.DockerImage.Url = "127.0.0.1:9/platform:none" }, compute.TerminationReasonCodeDockerImagePullFailure, "cannot be used"},
		{"with a script that fails", func(c *compute.CreateCluster) { c.InitScripts = []compute.InitScriptInfo{inside, wrong, local} }, compute.TerminationReasonCodeInitScriptFailure, "exit code 4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := single(image)
			c.DockerImage.BasicAuth = &compute.DockerBasicAuth{Username: user, Password: "{{secrets/registry/password}}"}
			test.change(&c)
			if got, err := w.launch(t, c); err == nil {
				t.Fatalf("it is %s", got.State)
			}
			found, err := w.clusters.ListAll(t.Context(), compute.ListClustersRequest{})
			if err != nil || len(found) == 0 {
				t.Fatal(err)
			}
			reason := found[0].TerminationReason
			if reason == nil || reason.Code != test.code || !strings.Contains(reason.Parameters["databricks_error_message"], test.want) {
				t.Errorf("ended as %+v", reason)
			}
			if test.code == compute.TerminationReasonCodeInitScriptFailure {
				events, err := w.clusters.EventsAll(t.Context(), compute.GetEvents{ClusterId: found[0].ClusterId, EventTypes: []compute.EventType{compute.EventTypeInitScriptsFinished}})
				if err != nil || len(events) != 1 {
					t.Fatalf("%d events, %v", len(events), err)
				}
				s := events[0].Details.InitScripts.Cluster
				if log := w.delivered(t, found[0].ClusterId, "init_scripts/", "_01_wrong.sh.stderr.log"); !strings.Contains(log, "nothing to be done") {
					t.Errorf("the script's log is %q", log)
				}
				if len(s) != 3 || s[0].Status != "SUCCEEDED" || s[1].Status != "FAILED_EXECUTION" || !strings.Contains(s[1].Stderr, "nothing to be done") || s[2].Status != "NOT_EXECUTED" {
					t.Errorf("scripts %+v", s)
				}
			}
		})
	}
	t.Run("the SDK for Python", func(t *testing.T) {
		ran := exec.CommandContext(t.Context(), filepath.Join(pythonClients(t), "python"), "testdata/clients/sdk.py", image, "launch")
		ran.Env = append(w.environment(), "REGISTRY_USER="+user)
		started := time.Now()
		if out, err := ran.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%.1fs", time.Since(started).Seconds())
	})
	t.Run("the script of the docs", func(t *testing.T) {
		docs, err := os.ReadFile(filepath.Join(top, "docs", "emulator.md"))
		if err != nil {
			t.Fatal(err)
		}
		_, script, _ := strings.Cut(string(docs), "\n```python\n")
		script, _, closed := strings.Cut(script, "\n```\n")
		if !closed {
			t.Fatal("docs/emulator.md has no script for Python")
		}
		ran := exec.CommandContext(t.Context(), filepath.Join(pythonClients(t), "python"), "-c", script)
		ran.Env = append(w.environment(), "IMAGE="+image)
		if out, err := ran.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "1000\n") || !strings.Contains(string(out), "DRIVER_HEALTHY") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("commands", func(t *testing.T) {
		c := single(image)
		c.DockerImage.BasicAuth = &compute.DockerBasicAuth{Username: user, Password: "{{secrets/registry/password}}"}
		c.InitScripts = []compute.InitScriptInfo{inside, local}
		c.SparkConf = map[string]string{"spark.sql.shuffle.partitions": "3"}
		c.SparkEnvVars = map[string]string{"GREETING": "hello from outside"}
		started := time.Now()
		d, err := w.launch(t, c)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("RUNNING after %s", time.Since(started).Round(time.Second))
		w.ask(t, d.ClusterId)
		if err := w.clusters.PermanentDeleteByClusterId(t.Context(), d.ClusterId); err != nil {
			t.Fatal(err)
		}
		if _, err := w.clusters.GetByClusterId(t.Context(), d.ClusterId); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("after the deletion: %v", err)
		}
		if log := w.delivered(t, d.ClusterId, "driver/", "stdout"); !strings.Contains(log, "1000 = 1000") {
			t.Errorf("what the driver wrote is %.2000s", log)
		}
		for _, name := range []string{"stderr", "log4j-active.log"} {
			t.Logf("%s: %.300s", name, w.delivered(t, d.ClusterId, "driver/", name))
		}
	})
}
