package emulator

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/compute"
	sdkfiles "github.com/databricks/databricks-sdk-go/service/files"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/settings"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	b := open(t, Options{ClientID: "principal", ClientSecret: "hush-hush"})
	good := b.config
	for _, test := range []struct {
		name   string
		config *config.Config
		want   error
	}{
		{"a token", &config.Config{Token: b.Token()}, nil},
		{"another token", &config.Config{Token: "dapi-wrong"}, apierr.ErrPermissionDenied},
		{"a service principal", &config.Config{ClientID: "principal", ClientSecret: "hush-hush", AuthType: "oauth-m2m"}, nil},
	} {
		test.config.Host = good.Host
		b.use(test.config)
		me, err := iam.NewCurrentUser(b.api()).Me(t.Context(), iam.MeRequest{})
		if !errors.Is(err, test.want) || err == nil && (me.UserName != DefaultUser || len(me.Entitlements) != 3) {
			t.Errorf("%s: %+v, %v", test.name, me, err)
		}
	}
	b.use(&config.Config{Host: good.Host, ClientID: "principal", ClientSecret: "wrong", AuthType: "oauth-m2m"})
	if _, err := iam.NewCurrentUser(b.api()).Me(t.Context(), iam.MeRequest{}); err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("a wrong secret: %v", err)
	}
	response, err := http.Get(b.url + "/api/2.1/clusters/list")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != 401 || !strings.Contains(string(body), "Credential was not sent") {
		t.Errorf("without a token: %d %s", response.StatusCode, body)
	}
	b.mu.Lock()
	b.tokens["old"] = credential{until: time.Now().Add(-time.Second)}
	b.mu.Unlock()
	b.use(&config.Config{Host: good.Host, Token: "old", AuthType: "pat"})
	if _, err := iam.NewCurrentUser(b.api()).Me(t.Context(), iam.MeRequest{}); !errors.Is(err, apierr.ErrPermissionDenied) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an old token: %v", err)
	}
}

func TestChoosing(t *testing.T) {
	t.Parallel()
	for cloud, want := range map[string]string{"aws": "m5d.large", "azure": "Standard_DS3_v2", "gcp": "n2-highmem-4"} {
		b := open(t, Options{Cloud: cloud})
		id, err := b.clusters.SelectNodeType(t.Context(), compute.NodeTypeRequest{LocalDisk: true})
		if err != nil || id != want {
			t.Errorf("%s: the smallest with a disk is %s, %v", cloud, id, err)
		}
		if gpu, err := b.clusters.SelectNodeType(t.Context(), compute.NodeTypeRequest{MinGPUs: 1}); err != nil || gpu == "" {
			t.Errorf("%s: no GPU: %v", cloud, err)
		}
		if zones, err := b.clusters.ListZones(t.Context()); err != nil || zones.DefaultZone == "" {
			t.Errorf("%s: zones %+v, %v", cloud, zones, err)
		}
	}
	b := open(t, Options{})
	for _, test := range []struct {
		asked compute.SparkVersionRequest
		want  string
	}{
		{compute.SparkVersionRequest{LongTermSupport: true, Latest: true, Scala: "2.12"}, "16.4.x-scala2.12"},
		{compute.SparkVersionRequest{LongTermSupport: true, Latest: true}, "17.3.x-scala2.13"},
		{compute.SparkVersionRequest{ML: true, GPU: true, Latest: true, Scala: "2.12"}, "16.4.x-gpu-ml-scala2.12"},
		{compute.SparkVersionRequest{SparkVersion: "3.4.1", Scala: "2.12"}, "13.3.x-scala2.12"},
	} {
		if got, err := b.clusters.SelectSparkVersion(t.Context(), test.asked); err != nil || got != test.want {
			t.Errorf("%+v: %s, %v", test.asked, got, err)
		}
	}
	conf := settings.NewWorkspaceConf(b.api())
	got, err := conf.GetStatus(t.Context(), settings.GetStatusRequest{Keys: "enableDcs"})
	if err != nil || (*got)["enableDcs"] != "true" {
		t.Errorf("settings %v, %v", got, err)
	}
	if err := conf.SetStatus(t.Context(), settings.WorkspaceConf{"enableDcs": "false"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.clusters.Create(t.Context(), one()); !errors.Is(err, apierr.ErrInvalidParameterValue) {
		t.Errorf("container services are off: %v", err)
	}
}

func TestPoolsAndPolicies(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	pools, policies := compute.NewInstancePools(b.api()), compute.NewClusterPolicies(b.api())
	pool, err := pools.Create(t.Context(), compute.CreateInstancePool{InstancePoolName: "ours", NodeTypeId: "i3.xlarge"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := pools.GetByInstancePoolId(t.Context(), pool.InstancePoolId); err != nil || got.InstancePoolName != "ours" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := pools.ListAll(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := pools.GetByInstancePoolId(t.Context(), "none"); !errors.Is(err, apierr.ErrNotFound) {
		t.Errorf("a pool that is not there: %v", err)
	}
	if got, err := policies.ListAll(t.Context(), compute.ListClusterPoliciesRequest{}); err != nil || len(got) != 1 || !got[0].IsDefault {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := policies.GetByPolicyId(t.Context(), "none"); !errors.Is(err, apierr.ErrNotFound) {
		t.Errorf("a policy that is not there: %v", err)
	}
	c := one()
	c.InstancePoolId, c.NodeTypeId = pool.InstancePoolId, ""
	b.reach(b.create(c), "RUNNING")
	c.NodeTypeId = "i3.xlarge"
	if _, err := b.clusters.Create(t.Context(), c); !errors.Is(err, apierr.ErrInvalidParameterValue) {
		t.Errorf("a pool and a node type: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	secrets := workspace.NewSecrets(b.api())
	if err := secrets.CreateScope(t.Context(), workspace.CreateScope{Scope: "registry"}); err != nil {
		t.Fatal(err)
	}
	if err := secrets.CreateScope(t.Context(), workspace.CreateScope{Scope: "registry"}); !errors.Is(err, apierr.ErrResourceAlreadyExists) {
		t.Errorf("twice: %v", err)
	}
	for key, put := range map[string]workspace.PutSecret{"user": {StringValue: "me"}, "password": {BytesValue: base64.StdEncoding.EncodeToString([]byte("hush-hush"))}} {
		put.Scope, put.Key = "registry", key
		if err := secrets.PutSecret(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	if err := secrets.PutSecret(t.Context(), workspace.PutSecret{Scope: "none", Key: "a", StringValue: "b"}); !errors.Is(err, apierr.ErrNotFound) {
		t.Errorf("in no scope: %v", err)
	}
	if got, err := secrets.ListSecretsAll(t.Context(), workspace.ListSecretsRequest{Scope: "registry"}); err != nil || len(got) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := secrets.GetSecret(t.Context(), workspace.GetSecretRequest{Scope: "registry", Key: "user"}); err != nil || got.Value != base64.StdEncoding.EncodeToString([]byte("me")) {
		t.Errorf("%+v, %v", got, err)
	}
	c := one()
	c.DockerImage.BasicAuth = &compute.DockerBasicAuth{Username: "{{secrets/registry/user}}", Password: "{{secrets/registry/password}}"}
	c.SparkEnvVars = map[string]string{"PASSWORD": "{{secrets/registry/password}}", "PLAIN": "x"}
	c.SparkConf = map[string]string{"spark.some.key": "{{ secrets/registry/user }}"}
	id := b.create(c)
	got := b.reach(id, "RUNNING")
	if got.DockerImage.BasicAuth.Password != "{{secrets/registry/password}}" {
		t.Errorf("the secret is shown: %+v", got.DockerImage.BasicAuth)
	}
	if l := b.machine.last(t); l.Username != "me" || l.Password != "hush-hush" || l.Env["PASSWORD"] != "hush-hush" || l.Env["PLAIN"] != "x" || l.Conf["spark.some.key"] != "me" {
		t.Errorf("launched %+v", l)
	}
	if err := secrets.DeleteSecret(t.Context(), workspace.DeleteSecret{Scope: "registry", Key: "password"}); err != nil {
		t.Fatal(err)
	}
	if ended := b.reach(b.create(c), "TERMINATED"); ended.TerminationReason.Code != compute.TerminationReasonCodeSecretResolutionError || !strings.Contains(ended.TerminationReason.Parameters[messageParameter], "registry and key: password") {
		t.Errorf("ended as %+v", ended.TerminationReason)
	}
	if err := secrets.DeleteScopeByScope(t.Context(), "registry"); err != nil {
		t.Error(err)
	}
	if got, err := secrets.ListScopesAll(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestInitScripts(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	const body = "#!/bin/bash\necho it\n"
	api := b.api()
	w := workspace.NewWorkspace(api)
	if err := w.Upload(t.Context(), "/Users/me/a.sh", strings.NewReader(body), workspace.UploadFormat(workspace.ImportFormatAuto)); !errors.Is(err, apierr.ErrNotFound) {
		t.Errorf("into a folder that is not there: %v", err)
	}
	if err := w.MkdirsByPath(t.Context(), "/Users/me"); err != nil {
		t.Fatal(err)
	}
	if err := w.Upload(t.Context(), "/Users/me/a.sh", strings.NewReader(body), workspace.UploadFormat(workspace.ImportFormatAuto)); err != nil {
		t.Fatal(err)
	}
	if got, err := w.GetStatusByPath(t.Context(), "/Users/me/a.sh"); err != nil || got.ObjectType != workspace.ObjectTypeFile {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := w.GetStatusByPath(t.Context(), "/Users/me/none.sh"); !errors.Is(err, apierr.ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
	d := sdkfiles.NewDbfs(api)
	if err := d.Put(t.Context(), sdkfiles.Put{Path: "/scripts/b.sh", Contents: base64.StdEncoding.EncodeToString([]byte(body))}); err != nil {
		t.Fatal(err)
	}
	if err := d.Put(t.Context(), sdkfiles.Put{Path: "/scripts/b.sh"}); err == nil {
		t.Error("a file was overwritten without being asked")
	}
	if got, err := d.GetStatusByPath(t.Context(), "/scripts/b.sh"); err != nil || got.FileSize != int64(len(body)) {
		t.Errorf("%+v, %v", got, err)
	}
	handle, err := d.Open(t.Context(), "/scripts/long.sh", sdkfiles.FileModeWrite)
	if err == nil {
		_, err = io.Copy(handle, strings.NewReader(strings.Repeat("# long\n", 300_000)))
		err = errors.Join(err, handle.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.ReadFile(t.Context(), "/scripts/long.sh"); err != nil || len(got) != 7*300_000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := sdkfiles.NewFiles(api).Upload(t.Context(), sdkfiles.UploadRequest{FilePath: "/Volumes/main/s/v/c.sh", Contents: io.NopCloser(strings.NewReader(body))}); err != nil {
		t.Fatal(err)
	}
	if status, answer := b.send(http.MethodPut, adminPath+"files?path=s3://bucket/d.sh", body); status != 200 {
		t.Fatalf("%d %v", status, answer)
	}
	scripts := []compute.InitScriptInfo{
		{Workspace: &compute.WorkspaceStorageInfo{Destination: "/Users/me/a.sh"}},
		{Dbfs: &compute.DbfsStorageInfo{Destination: "dbfs:/scripts/b.sh"}},
		{Volumes: &compute.VolumesStorageInfo{Destination: "/Volumes/main/s/v/c.sh"}},
		{S3: &compute.S3StorageInfo{Destination: "s3://bucket/d.sh", Region: "us-west-2"}},
		{File: &compute.LocalFileInfo{Destination: "file:/opt/e.sh"}},
	}
	c := one()
	c.InitScripts = scripts
	c.ClusterLogConf = &compute.ClusterLogConf{Dbfs: &compute.DbfsStorageInfo{Destination: "dbfs:/logs"}}
	id := b.create(c)
	b.reach(id, "RUNNING")
	l := b.machine.last(t)
	for i, script := range l.Scripts {
		if inside := i == 4; string(script.Body) != body && !inside || inside && script.Inside != "/opt/e.sh" {
			t.Errorf("script %+v", script)
		}
	}
	states := func(id string) (all []string) {
		events, err := b.clusters.EventsAll(t.Context(), compute.GetEvents{ClusterId: id, EventTypes: []compute.EventType{compute.EventTypeInitScriptsFinished}})
		if err != nil || len(events) != 1 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		for _, s := range events[0].Details.InitScripts.Cluster {
			all = append(all, string(s.Status))
			if s.Status == "FAILED_EXECUTION" && (!strings.Contains(s.ErrorMessage, "non-zero: 9") || s.Stderr != "no such setting: colour") {
				t.Errorf("a failed script: %+v", s)
			}
		}
		return all
	}
	if got := strings.Join(states(id), " "); got != "SUCCEEDED SUCCEEDED SUCCEEDED SUCCEEDED SUCCEEDED" {
		t.Errorf("scripts %s", got)
	}
	if _, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"stdout": "the driver's log\n", "stderr": "a warning\n", "log4j-active.log": "25/11/22 00:00:00 INFO SparkContext: up\n"} {
		if got, err := d.ReadFile(t.Context(), "/logs/"+id+"/driver/"+name); err != nil || string(got) != want {
			t.Errorf("%s %q, %v", name, got, err)
		}
	}
	if logs, err := d.ListAll(t.Context(), sdkfiles.ListDbfsRequest{Path: "/logs/" + id + "/init_scripts/" + id + "_10_0_0_1"}); err != nil || len(logs) != 2*len(scripts) {
		t.Errorf("logs of init scripts %+v, %v", logs, err)
	}

	b.machine.failAt = 2
	id = b.create(c)
	if got := b.reach(id, "TERMINATED"); got.TerminationReason.Code != compute.TerminationReasonCodeInitScriptFailure {
		t.Errorf("ended as %+v", got.TerminationReason)
	}
	if got := strings.Join(states(id), " "); got != "SUCCEEDED FAILED_EXECUTION NOT_EXECUTED NOT_EXECUTED NOT_EXECUTED" {
		t.Errorf("scripts %s", got)
	}
	logs, err := d.ListAll(t.Context(), sdkfiles.ListDbfsRequest{Path: "/logs/" + id + "/init_scripts/" + id + "_10_0_0_1"})
	if err != nil || len(logs) != 4 || !strings.HasSuffix(logs[2].Path, "_01_b.sh.stderr.log") {
		t.Fatalf("logs of init scripts %+v, %v", logs, err)
	}
	if got, err := d.ReadFile(t.Context(), logs[2].Path); err != nil || string(got) != "no such setting: colour" {
		t.Errorf("the failed one's log %q, %v", got, err)
	}
	if _, err := d.GetStatusByPath(t.Context(), "/logs/"+id+"/driver"); !errors.Is(err, apierr.ErrNotFound) {
		t.Errorf("logs of a driver that was never begun: %v", err)
	}
	if err := w.Delete(t.Context(), workspace.Delete{Path: "/Users/me/a.sh"}); err != nil {
		t.Fatal(err)
	}
	id = b.create(c)
	if got := b.reach(id, "TERMINATED"); got.TerminationReason.Code != compute.TerminationReasonCodeInitScriptFailure || !strings.Contains(got.TerminationReason.Parameters[messageParameter], "/Users/me/a.sh") {
		t.Errorf("ended as %+v", got.TerminationReason)
	}
	if got := states(id); got[0] != "FAILED_FETCH" || got[1] != "NOT_EXECUTED" {
		t.Errorf("scripts %s", got)
	}
}

// What is uploaded while a cluster runs is there for its next command.
func TestUploadsReachTheDriver(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	d := sdkfiles.NewDbfs(b.api())
	put := func(text string) {
		if err := d.Put(t.Context(), sdkfiles.Put{Path: "/wheels/a.whl", Contents: base64.StdEncoding.EncodeToString([]byte(text)), Overwrite: true}); err != nil {
			t.Fatal(err)
		}
	}
	put("before")
	id, in := b.running(compute.LanguagePython)
	see := func(want string) {
		t.Helper()
		b.run(id, in.Id, compute.LanguagePython, "get x")
		n := b.machine.nodes[0]
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.files["/dbfs/wheels/a.whl"] != want {
			t.Errorf("the driver sees %v", n.files)
		}
	}
	see("before")
	put("after")
	see("after")
}

func TestMachinesThatFail(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	b.machine.err = errors.New("the engine does not answer")
	c := b.reach(b.create(one()), "TERMINATED")
	if c.TerminationReason.Code != compute.TerminationReasonCodeInternalError || c.TerminationReason.Type != compute.TerminationReasonTypeServiceFault || !strings.Contains(c.StateMessage, "the engine does not answer") {
		t.Errorf("ended as %+v: %s", c.TerminationReason, c.StateMessage)
	}
	b.machine.err = &Ended{Code: "SPARK_STARTUP_FAILURE", Type: "SERVICE_FAULT", Driver: true, Parameters: map[string]string{messageParameter: "UnsupportedClassVersionError"}}
	id := b.create(one())
	b.reach(id, "TERMINATED")
	if events, err := b.clusters.EventsAll(t.Context(), compute.GetEvents{ClusterId: id, EventTypes: []compute.EventType{compute.EventTypeDriverUnavailable}}); err != nil || len(events) != 1 || events[0].Details.DriverStateMessage != "UnsupportedClassVersionError" {
		t.Errorf("%+v, %v", events, err)
	}
	b.machine.err = &Ended{Code: "DOCKER_IMAGE_PULL_FAILURE", Type: "CLIENT_ERROR", Parameters: map[string]string{messageParameter: "no such image"}}
	if c := b.reach(b.create(one()), "TERMINATED"); c.TerminationReason.Code != compute.TerminationReasonCodeDockerImagePullFailure || c.StateMessage != "no such image" {
		t.Errorf("ended as %+v: %s", c.TerminationReason, c.StateMessage)
	}
	b.machine.err, b.machine.cannot = nil, errors.New("the container does not end")
	id = b.create(one())
	b.reach(id, "RUNNING")
	if _, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestPathsThatNobodyServes(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	status, answer := b.send("GET", "/api/2.1/jobs/list", "")
	if status != 404 || answer["error_code"] != "ENDPOINT_NOT_FOUND" {
		t.Errorf("%d %v", status, answer)
	}
}
