package emulator

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/settings"
	"github.com/databricks/databricks-sdk-go/service/workspace"
)

func TestTokensLetIn(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	tokens := settings.NewTokens(b.api())
	made, err := tokens.Create(t.Context(), settings.CreateTokenRequest{Comment: "for a test", LifetimeSeconds: 600})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := tokens.ListAll(t.Context()); err != nil || len(all) != 1 || all[0].Comment != "for a test" || all[0].ExpiryTime <= all[0].CreationTime {
		t.Errorf("%+v, %v", all, err)
	}
	b.use(&config.Config{Host: b.url, Token: made.TokenValue, AuthType: "pat"})
	if _, err := b.clusters.ListNodeTypes(t.Context()); err != nil {
		t.Error(err)
	}
	if err := tokens.DeleteByTokenId(t.Context(), made.TokenInfo.TokenId); err != nil {
		t.Fatal(err)
	}
	if _, err := b.clusters.ListNodeTypes(t.Context()); err == nil {
		t.Error("a token that was deleted lets in")
	}
	if err := tokens.DeleteByTokenId(t.Context(), "none"); err == nil {
		t.Error("a token that is not there was deleted")
	}
}

func TestPermissionsAreKept(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	permissions := iam.NewPermissions(b.api())
	id := b.create(one())
	change := []iam.AccessControlRequest{{GroupName: "users", PermissionLevel: iam.PermissionLevelCanRestart}}
	got, err := permissions.Update(t.Context(), iam.UpdateObjectPermissions{RequestObjectType: "clusters", RequestObjectId: id, AccessControlList: change})
	if err != nil || len(got.AccessControlList) != 3 || got.ObjectType != "cluster" {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = permissions.Set(t.Context(), iam.SetObjectPermissions{RequestObjectType: "clusters", RequestObjectId: id})
	if err != nil || len(got.AccessControlList) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, test := range []struct {
		kind, id string
		grant    iam.AccessControlRequest
		want     string
	}{
		{"clusters", "none", change[0], "does not exist"},
		{"jobs", "1", change[0], "not of jobs"},
		{"clusters", id, iam.AccessControlRequest{PermissionLevel: iam.PermissionLevelCanManage}, "exactly one"},
		{"clusters", id, iam.AccessControlRequest{UserName: "a", GroupName: "b", PermissionLevel: iam.PermissionLevelCanManage}, "exactly one"},
		{"clusters", id, iam.AccessControlRequest{UserName: "a", PermissionLevel: iam.PermissionLevelCanUse}, "none of"},
	} {
		_, err := permissions.Update(t.Context(), iam.UpdateObjectPermissions{RequestObjectType: test.kind, RequestObjectId: test.id, AccessControlList: []iam.AccessControlRequest{test.grant}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	if levels, err := permissions.GetPermissionLevels(t.Context(), iam.GetPermissionLevelsRequest{RequestObjectType: "clusters", RequestObjectId: id}); err != nil || len(levels.PermissionLevels) != 3 {
		t.Errorf("%+v, %v", levels, err)
	}
	secrets := workspace.NewSecrets(b.api())
	if err := secrets.CreateScope(t.Context(), workspace.CreateScope{Scope: "s"}); err != nil {
		t.Fatal(err)
	}
	if err := secrets.PutAcl(t.Context(), workspace.PutAcl{Scope: "s", Principal: "users", Permission: workspace.AclPermissionRead}); err != nil {
		t.Fatal(err)
	}
	if all, err := secrets.ListAclsAll(t.Context(), workspace.ListAclsRequest{Scope: "s"}); err != nil || len(all) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestPoliciesFillIn(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	policies := compute.NewClusterPolicies(b.api())
	made, err := policies.Create(t.Context(), compute.CreatePolicy{Name: "ours", Definition: `{
		"spark_conf.spark.some.key": {"type": "fixed", "value": 7}, "docker_image.url": {"type": "regex", "pattern": "registry[.]example[.]com/.*"},
		"autotermination_minutes": {"type": "unlimited", "defaultValue": 55}, "cluster_type": {"type": "fixed", "value": "all-purpose"},
		"init_scripts.*.workspace.destination": {"type": "blocklist", "values": ["/Shared/no.sh"], "isOptional": true}}`})
	if err != nil {
		t.Fatal(err)
	}
	c := one()
	c.PolicyId, c.AutoterminationMinutes = made.PolicyId, 0
	if _, err := b.clusters.Create(t.Context(), c); err == nil || !strings.Contains(err.Error(), "autotermination_minutes, the value must be present") {
		t.Errorf("without its defaults: %v", err)
	}
	c.ApplyPolicyDefaultValues = true
	if got := b.reach(b.create(c), "RUNNING"); got.AutoterminationMinutes != 55 || got.SparkConf["spark.some.key"] != "7" {
		t.Errorf("filled in as %+v", got)
	}
	c.InitScripts = []compute.InitScriptInfo{{Workspace: &compute.WorkspaceStorageInfo{Destination: "/Shared/no.sh"}}}
	if _, err := b.clusters.Create(t.Context(), c); err == nil || !strings.Contains(err.Error(), "must not be one of") {
		t.Errorf("with a script that the policy forbids: %v", err)
	}
	c.InitScripts, c.DockerImage = nil, &compute.DockerImage{Url: "elsewhere/x"}
	if _, err := b.clusters.Create(t.Context(), c); err == nil || !strings.Contains(err.Error(), "must match the regex") {
		t.Errorf("with an image of elsewhere: %v", err)
	}
	if err := policies.Edit(t.Context(), compute.EditPolicy{PolicyId: made.PolicyId, Name: "ours, changed", Definition: "{}"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.clusters.Create(t.Context(), c); err != nil {
		t.Errorf("with the policy changed: %v", err)
	}
	for _, wrong := range []compute.CreatePolicy{
		{Name: "ours, changed", Definition: "{}"},
		{Name: "", Definition: "{}"},
		{Name: "a", Definition: `{"x": {"type": "colour"}}`},
		{Name: "b", Definition: `{"x": {"type": "regex", "pattern": "("}}`},
		{Name: "c", Definition: `{"x": {"type": "fixed"}}`},
	} {
		if _, err := policies.Create(t.Context(), wrong); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
	if err := policies.DeleteByPolicyId(t.Context(), made.PolicyId); err != nil {
		t.Error(err)
	}
	if err := policies.DeleteByPolicyId(t.Context(), "0000000000000001"); err == nil {
		t.Error("a default policy was deleted")
	}
}

// Nothing of a body is read that somebody sends who is not let in, and too large ones end.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	send := func(token, length, body string) *http.Response {
		t.Helper()
		connection, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.Close() })
		_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(connection, "POST /api/2.1/clusters/create HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %s\r\n\r\n%s", token, length, body)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response
	}
	if got := send("wrong", "1000000000", "{").StatusCode; got != http.StatusForbidden {
		t.Errorf("somebody who is not let in is answered with %d", got)
	}
	if got := send(b.Token(), fmt.Sprint(maxBody+1), strings.Repeat(" ", maxBody+1)).StatusCode; got != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large is answered with %d", got)
	}
}
