//go:build real

package real

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/files"
	sdkworkspace "github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/google/go-containerregistry/pkg/registry"
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

// privateRegistry is one that hands out nothing without the password.
func privateRegistry(t *testing.T, user, password string) (host string) {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="tests"`)
			http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

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

// ask puts commands in each language, which know of each other where they should.
func (w *workspace) ask(t *testing.T, id string) {
	t.Helper()
	contexts := map[compute.Language]executionContext{}
	for _, test := range []struct {
		language compute.Language
		code     string
		failed   bool
		want     string
	}{
		{compute.LanguagePython, "x = spark.range(1000).count()", false, ""},
		{compute.LanguagePython, "import os; print('rows', x, spark.conf.get('spark.master'), spark.conf.get('spark.sql.shuffle.partitions'), os.environ['GREETING'])", false, "rows 1000 local[*] 3 hello from outside"},
		{compute.LanguagePython, "from pyspark.sql.functions import udf\nspark.range(3).select(udf(lambda x: '=' + str(x * 2))('id').alias('d')).collect()", false, "d='=4'"},
		{compute.LanguagePython, "%sh cat /var/told; id -u", false, "uid 0 TRUE\n0"},
		{compute.LanguagePython, "%pip install /dbfs/wheels/tiny_tool-1.0-py3-none-any.whl", false, "Successfully installed tiny-tool-1.0"},
		{compute.LanguagePython, "import tiny_tool; print(tiny_tool.VERSION, x)", false, "one point oh 1000"},
		{compute.LanguagePython, "%pip install no-such-package", true, "pip install ended with exit code"},
		{compute.LanguagePython, "1 / 0", true, "ZeroDivisionError"},
		{compute.LanguageScala, "val y = spark.range(10).collect().map(_.toLong).sum", false, "y: Long = 45"},
		{compute.LanguageScala, `println("sum " + (y + 1)); spark.range(5).createOrReplaceTempView("five")`, false, "sum 46"},
		{compute.LanguageScala, "val z = y +\n  1\nprintln(\"lines \" + z)", false, "lines 46"},
		{compute.LanguageScala, "case class A(n: Long)", false, "defined class A"},
		{compute.LanguageScala, "spark.range(3).as[Long].map(n => A(n * y)).collect().map(_.n).sum", false, "Long = 135"},
		{compute.LanguageScala, `sys.error("boom " + y)`, true, "RuntimeException: boom 45"},
		{compute.LanguageScala, "nosuch", true, "error: not found: value nosuch"},
		{compute.LanguageScala, "def f(", true, "incomplete"},
		{compute.LanguageSql, "SELECT sum(id) AS total, 'a' AS letter FROM range(100)", false, "[[4950 a]]"},
		{compute.LanguageSql, "SELECT CAST(1.5 AS DECIMAL(3,1)) AS d, NULL AS n", false, "[[1.5 <nil>]]"},
		{compute.LanguageSql, "SELECT nothing", true, "nothing"},
		// The context borrows Scala's shell, and has views of its own in it.
		{compute.LanguageSql, "SELECT * FROM five", true, "five"},
		{compute.LanguageSql, "CREATE TEMPORARY VIEW mine AS SELECT 7 AS n", false, ""},
		{compute.LanguageScala, `spark.sql("SELECT * FROM mine")`, true, "mine"},
		{compute.LanguageScala, `spark.sql("SELECT * FROM five").count()`, false, "Long = 5"},
	} {
		in, made := contexts[test.language]
		if !made {
			wait, err := w.commands.Create(t.Context(), compute.CreateContext{ClusterId: id, Language: test.language})
			if err != nil {
				t.Fatal(err)
			}
			begun, err := wait.Get()
			if err != nil {
				t.Fatal(err)
			}
			in = executionContext{w, id, begun.Id, test.language}
			contexts[test.language] = in
		}
		started := time.Now()
		got, err := in.run(t, test.code)
		if err != nil {
			t.Fatalf("%s: %v", test.code, err)
		}
		if said := fmt.Sprint(got.Data, got.Summary, got.Cause); got.Failed() != test.failed || !strings.Contains(said, test.want) {
			t.Errorf("%s: got %+v, want %q", test.code, got, test.want)
		}
		t.Logf("%-7s %5.1fs %s", test.language, time.Since(started).Seconds(), test.code)
	}
	for _, test := range []struct {
		language compute.Language
		code     string
		then     string // what the context still knows
		want     string
	}{
		{compute.LanguagePython, "import time; time.sleep(600)", "print(x)", "1000"},
		{compute.LanguageScala, "Thread.sleep(600000)", "println(spark.range(y).count() + 1)", "46"},
		{compute.LanguageScala, "spark.range(4).foreach { (n: java.lang.Long) => Thread.sleep(600000) }", "println(spark.range(y).count() + 2)", "47"},
		{compute.LanguageSql, "SELECT count(*) FROM range(1000000000000) WHERE id * id % 7 = 3", "SELECT n + 1 FROM mine", "[[8]]"},
	} {
		in := contexts[test.language]
		in.cancel(t, test.code)
		got, err := in.run(t, test.then)
		if err != nil || got.Failed() || !strings.Contains(fmt.Sprint(got.Data), test.want) {
			t.Errorf("after %q was cancelled: %+v, %v; want %q", test.code, got, err, test.want)
		}
	}
	if err := contexts[compute.LanguageScala].destroy(t); err != nil {
		t.Error(err)
	}
	if got, err := contexts[compute.LanguageSql].run(t, "SELECT n FROM mine"); err != nil || !strings.Contains(fmt.Sprint(got.Data), "[[7]]") {
		t.Errorf("after the context whose shell it borrows was destroyed: %+v, %v", got, err)
	}
	delete(contexts, compute.LanguageScala)
	if _, err := w.commands.Start(t.Context(), id, compute.LanguageR); err == nil {
		t.Error("an image without R has a context for R")
	}
	for _, in := range contexts {
		if err := in.destroy(t); err != nil {
			t.Error(err)
		}
	}
}

// executionContext is one, with the language that its commands are in.
type executionContext struct {
	w           *workspace
	cluster, id string
	language    compute.Language
}

func (c executionContext) run(t *testing.T, code string) (*compute.Results, error) {
	t.Helper()
	wait, err := c.w.commands.Execute(t.Context(), compute.Command{ClusterId: c.cluster, ContextId: c.id, Language: c.language, Command: code})
	if err != nil {
		return nil, err
	}
	done, err := wait.Get()
	if err != nil {
		return nil, err
	}
	return done.Results, nil
}

func (c executionContext) destroy(t *testing.T) error {
	t.Helper()
	return c.w.commands.Destroy(t.Context(), compute.DestroyContext{ClusterId: c.cluster, ContextId: c.id})
}

// cancel puts a command that would go on for long, and cancels it once it runs.
func (c executionContext) cancel(t *testing.T, code string) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	put, err := c.w.commands.Execute(ctx, compute.Command{ClusterId: c.cluster, ContextId: c.id, Language: c.language, Command: code})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // it is to be under way, its jobs too
	if _, err := c.w.commands.Cancel(ctx, compute.CancelCommand{ClusterId: c.cluster, ContextId: c.id, CommandId: put.CommandId}); err != nil {
		t.Fatal(err)
	}
	for {
		got, err := c.w.commands.CommandStatus(ctx, compute.CommandStatusRequest{ClusterId: c.cluster, ContextId: c.id, CommandId: put.CommandId})
		if err != nil {
			t.Fatalf("%s: %v", code, err)
		}
		if got.Status == compute.CommandStatusCancelled {
			t.Logf("%-7s %5.1fs until it was cancelled: %s", c.language, time.Since(began).Seconds(), code)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
