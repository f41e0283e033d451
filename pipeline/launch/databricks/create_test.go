package databricks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// created launches once and returns what the workspace was asked to create, in its order.
func created(t *testing.T, s *server, o Options) (*launch.Result, []createBody) {
	t.Helper()
	var bodies []createBody
	keep := s.keepBodies(&bodies)
	defer keep()
	result := run(t, o, testSpec(python("1", "100")))
	return result, bodies
}

func TestCreateAsksForWhatIsConfigured(t *testing.T) {
	t.Parallel()
	secretFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secretFile, []byte("planted-registry-password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*Options, *server)
		want   func(createBody) string // what is wrong; empty: nothing
	}{
		{"the flag", func(*Options, *server) {}, func(b createBody) string {
			_, master := b.SparkConf["spark.master"]
			return wrong(b.Kind == "CLASSIC_PREVIEW", b.IsSingleNode, b.NumWorkers == nil, !master, b.CustomTags["ResourceClass"] == "",
				b.DataSecurityMode == "SINGLE_USER", b.SingleUserName == "ci@example.com", b.NodeTypeID == "m5d.large", b.SparkVersion == "16.4.x-scala2.12",
				b.AutoterminationMinutes == 30, b.DockerImage.BasicAuth == nil)
		}},
		{"the settings", func(o *Options, _ *server) {
			o.SingleNode, o.AccessMode, o.Autotermination = SingleNodeConf, NoMode, 95*time.Minute+time.Second
		}, func(b createBody) string {
			return wrong(b.Kind == "", !b.IsSingleNode, b.NumWorkers != nil && *b.NumWorkers == 0, b.SparkConf["spark.master"] == "local[*]",
				b.SparkConf["spark.databricks.cluster.profile"] == "singleNode", b.CustomTags["ResourceClass"] == "SingleNode",
				b.DataSecurityMode == "NONE", b.SingleUserName == "", b.AutoterminationMinutes == 96)
		}},
		{"tags", func(o *Options, _ *server) { o.Tags = map[string]string{"team": "data"} }, func(b createBody) string {
			deadline, err := time.Parse(time.RFC3339, b.CustomTags[TagDeadline])
			return wrong(len(b.CustomTags) == 5, b.CustomTags["team"] == "data", b.CustomTags[TagRun] == "20261122-001122-abcdef", b.CustomTags[TagOwner] == "ci@build host",
				err == nil, time.Until(deadline) > 50*time.Second, time.Until(deadline) < 61*time.Second,
				b.CustomTags[TagSubject] == "sha256-4633bba9c2cf97e74d67a8f6f70e41765e5cf9057a5ac3dc4b8c1120")
		}},
		{"a reference of the workspace's", func(o *Options, _ *server) {
			o.Credentials = Credentials{Username: "{{secrets/acr/id}}", Password: "{{secrets/acr/password}}"}
		}, func(b createBody) string {
			return wrong(b.DockerImage.BasicAuth != nil && b.DockerImage.BasicAuth.Username == "{{secrets/acr/id}}" && b.DockerImage.BasicAuth.Password == "{{secrets/acr/password}}")
		}},
		{"a secret of this machine", func(o *Options, _ *server) {
			o.Credentials = Credentials{Username: "service-principal", Password: "file:" + secretFile}
			o.Private = func(context.Context) (bool, error) { return true, nil }
		}, func(b createBody) string {
			return wrong(b.DockerImage.BasicAuth != nil && b.DockerImage.BasicAuth.Username == "service-principal" && b.DockerImage.BasicAuth.Password == "planted-registry-password")
		}},
		{"a public image", func(o *Options, _ *server) {
			o.Credentials = Credentials{Username: "ci", Password: "{{secrets/acr/password}}"}
			o.Private = func(context.Context) (bool, error) { return false, nil }
		}, func(b createBody) string { return wrong(b.DockerImage.BasicAuth == nil) }},
		{"nobody knows whether it is public", func(o *Options, _ *server) {
			o.Credentials = Credentials{Username: "ci", Password: "{{secrets/acr/password}}"}
			o.Private = func(context.Context) (bool, error) { return false, errors.New("no route to host") }
		}, func(b createBody) string { return wrong(b.DockerImage.BasicAuth != nil) }},
		{"a GPU", func(o *Options, _ *server) { o.NodeType = GPU }, func(b createBody) string { return wrong(b.NodeTypeID == "g5.xlarge") }},
		{"a name", func(o *Options, _ *server) { o.NodeType = "i3.xlarge" }, func(b createBody) string { return wrong(b.NodeTypeID == "i3.xlarge") }},
		{"pools and a policy", func(o *Options, s *server) {
			o.NodeType, o.Pool, o.DriverPool, o.Policy = "", "pool-1", "pool-2", "policy-1"
			s.pools["pool-1"] = map[string]any{"instance_pool_id": "pool-1", "node_type_id": "i3.xlarge", "state": "ACTIVE"}
			s.pools["pool-2"] = map[string]any{"instance_pool_id": "pool-2", "node_type_id": "m5d.large", "state": "ACTIVE"}
			s.policies["policy-1"] = map[string]any{"policy_id": "policy-1", "name": "images", "definition": `{"data_security_mode": {"type": "fixed", "value": "SINGLE_USER"}}`}
		}, func(b createBody) string {
			return wrong(b.NodeTypeID == "", b.InstancePoolID == "pool-1", b.DriverInstancePoolID == "pool-2", b.PolicyID == "policy-1", b.ApplyPolicyDefaultValues)
		}},
		{"init scripts of every kind", func(o *Options, s *server) {
			o.Scripts = []Script{
				{Kind: "workspace", Path: "/Users/ci@example.com/init.sh"},
				{Kind: "volumes", Path: "/Volumes/a/b/c/init.sh"},
				{Kind: "dbfs", Path: "dbfs:/init.sh"},
				{Kind: "s3", Path: "s3://bucket/init.sh", Region: "eu-west-1"},
				{Kind: "abfss", Path: "abfss://c@a.dfs.core.windows.net/init.sh"},
				{Kind: "gcs", Path: "gs://bucket/init.sh"},
				{Kind: "file", Path: "file:/opt/init.sh"},
			}
			s.files["/Workspace/Users/ci@example.com/init.sh"], s.files["/Volumes/a/b/c/init.sh"], s.files["dbfs:/init.sh"] = "one", "two", "three"
		}, func(b createBody) string {
			return wrong(fmt.Sprint(b.InitScripts) == fmt.Sprint([]map[string]any{
				{"workspace": map[string]any{"destination": "/Users/ci@example.com/init.sh"}},
				{"volumes": map[string]any{"destination": "/Volumes/a/b/c/init.sh"}},
				{"dbfs": map[string]any{"destination": "dbfs:/init.sh"}},
				{"s3": map[string]any{"destination": "s3://bucket/init.sh", "region": "eu-west-1"}},
				{"abfss": map[string]any{"destination": "abfss://c@a.dfs.core.windows.net/init.sh"}},
				{"gcs": map[string]any{"destination": "gs://bucket/init.sh"}},
				{"file": map[string]any{"destination": "file:/opt/init.sh"}},
			}))
		}},
		{"logs in a bucket", func(o *Options, _ *server) { o.LogDelivery, o.LogRegion = "s3://bucket/logs", "eu-west-1" }, func(b createBody) string {
			return wrong(fmt.Sprint(b.ClusterLogConf) == "map[s3:map[destination:s3://bucket/logs region:eu-west-1]]")
		}},
		{"settings and logs", func(o *Options, _ *server) {
			o.SparkConf, o.Env, o.LogDelivery = map[string]string{"spark.databricks.driverNfs.enabled": "false"}, map[string]string{"STAGE": "test"}, "/Volumes/main/ops/logs"
		}, func(b createBody) string {
			return wrong(b.SparkConf["spark.databricks.driverNfs.enabled"] == "false", b.SparkEnvVars["STAGE"] == "test",
				fmt.Sprint(b.ClusterLogConf) == "map[volumes:map[destination:/Volumes/main/ops/logs]]")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			o := s.options()
			test.change(&o, s)
			result, bodies := created(t, s, o)
			if result.Verdict != verdict.Pass || len(bodies) != 1 {
				t.Fatalf("%s, %d clusters: %s", result.Verdict, len(bodies), result.Reason)
			}
			if why := test.want(bodies[0]); why != "" {
				t.Errorf("%s in %+v", why, bodies[0])
			}
			node := map[string]string{"a GPU": "g5.xlarge", "a name": "i3.xlarge"}[test.name]
			if node = cmp.Or(node, "m5d.large"); fact(result, "node type") != node || !strings.HasSuffix(result.Runtime, " on "+node) {
				t.Errorf("the node type is %s in the facts, and the runtime %q; want %s", fact(result, "node type"), result.Runtime, node)
			}
			if bodies[0].DockerImage.URL != "registry.example.com/platform/dbr@"+testDigest {
				t.Errorf("the image is %s", bodies[0].DockerImage.URL)
			}
		})
	}
}

// wrong names the conditions that do not hold.
func wrong(holds ...bool) string {
	var failed []string
	for i, hold := range holds {
		if !hold {
			failed = append(failed, fmt.Sprint(i+1))
		}
	}
	if failed == nil {
		return ""
	}
	return "conditions " + strings.Join(failed, ", ") + " do not hold"
}

// The platform's documents do not say whether a URL may hold a digest: the workspace's answer decides, and is remembered.
func TestImageByDigestOrByTag(t *testing.T) {
	t.Parallel()
	const byDigest, byTag = "registry.example.com/platform/dbr@" + testDigest, "registry.example.com/platform/dbr:staging-1"
	pullSays := func(message string) map[string]any {
		return map[string]any{"code": "DOCKER_IMAGE_PULL_FAILURE", "type": "CLIENT_ERROR", "parameters": map[string]any{"databricks_error_message": message}}
	}
	pull := pullSays("invalid reference format")
	for _, test := range []struct {
		name   string
		script func(*server)
		urls   []string
		again  []string // of a second launch with the same memory
		result verdict.Verdict
	}{
		{"taken", func(*server) {}, []string{byDigest}, []string{byDigest}, verdict.Pass},
		{"refused at the creation", func(s *server) {
			s.script("POST /api/2.1/clusters/create", says(400, "INVALID_PARAMETER_VALUE", "Invalid docker image url"))
		}, []string{byTag}, []string{byTag}, verdict.Pass},
		{"not pulled", func(s *server) {
			s.states, s.ends = [][]string{{"PENDING", "TERMINATED"}}, []map[string]any{pull}
		}, []string{byDigest, byTag}, []string{byTag}, verdict.Pass},
		{"no container of it", func(s *server) {
			s.states, s.ends = [][]string{{"PENDING", "TERMINATED"}}, []map[string]any{{"code": "DOCKER_CONTAINER_CREATION_EXCEPTION", "type": "CLIENT_ERROR", "parameters": map[string]any{"databricks_error_message": "could not parse reference: registry.example.com/platform/dbr@sha256"}}}
		}, []string{byDigest, byTag}, []string{byTag}, verdict.Pass},
		{"denied", func(s *server) {
			s.states, s.ends = [][]string{{"TERMINATED"}}, []map[string]any{pullSays("pull access denied for the digest, it may require 'docker login'")}
		}, []string{byDigest}, []string{byDigest}, ""},
		{"not there", func(s *server) {
			s.states, s.ends = [][]string{{"TERMINATED"}}, []map[string]any{pullSays("manifest unknown")}
		}, []string{byDigest}, []string{byDigest}, ""},
		{"a registry out of reach", func(s *server) {
			s.states, s.ends = [][]string{{"TERMINATED"}}, []map[string]any{pullSays("reading the digest: dial tcp 10.0.0.1:443: i/o timeout")}
		}, []string{byDigest, byDigest}, []string{byDigest}, verdict.Pass},
		{"refused for another reason", func(s *server) {
			s.script("POST /api/2.1/clusters/create", says(400, "INVALID_PARAMETER_VALUE", "Docker image credentials are not complete"))
		}, nil, []string{byDigest}, ""},
		{"neither is pulled", func(s *server) {
			s.states, s.ends = [][]string{{"TERMINATED"}, {"TERMINATED"}}, []map[string]any{pull, pull}
		}, []string{byDigest, byTag}, []string{byDigest}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			o := s.options()
			o.Memory = filepath.Join(t.TempDir(), "home", "workspaces.json")
			digests := 0
			o.TagDigest = func(context.Context) (string, error) { digests++; return testDigest, nil }
			test.script(s)
			result, bodies := created(t, s, o)
			if test.result != "" && result.Verdict != test.result || test.result == "" && result.Verdict == verdict.Pass {
				t.Fatalf("%s: %s", result.Verdict, result.Reason)
			}
			if got := urls(bodies); !slices.Equal(got, test.urls) {
				t.Errorf("the URLs were %v, want %v", got, test.urls)
			}
			if result.Verdict == verdict.Pass && fact(result, "pulled digest") != testDigest {
				t.Errorf("facts %v", result.Facts)
			}
			if slices.Contains(test.urls, byTag) && result.Verdict == verdict.Pass && digests != 2 {
				t.Errorf("the tag's digest was read %d times, not before and after the launch", digests)
			}
			_, bodies = created(t, s, o)
			if got := urls(bodies); !slices.Equal(got, test.again) {
				t.Errorf("the next launch's URLs were %v, want %v", got, test.again)
			}
			if left := s.left(); len(left) > 0 {
				t.Errorf("clusters are left: %v", left)
			}
		})
	}
}

func TestStagingTagThatMoves(t *testing.T) {
	t.Parallel()
	other := "sha256:" + strings.Repeat("0", 64)
	for _, test := range []struct {
		name    string
		digests []string
		reason  string
		made    int
	}{
		{"before", []string{other}, "points to " + other, 0},
		{"while the cluster starts", []string{testDigest, other}, "was moved to " + other, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			o := s.options()
			o.Memory = filepath.Join(t.TempDir(), "workspaces.json")
			remember(o.Memory, s.http.URL, false)
			n := 0
			o.TagDigest = func(context.Context) (string, error) { n++; return test.digests[n-1], nil }
			result, bodies := created(t, s, o)
			if result.Verdict != verdict.Inconclusive || !strings.Contains(result.Reason, test.reason) || len(bodies) != test.made || len(s.left()) > 0 {
				t.Errorf("%s after %d clusters: %s", result.Verdict, len(bodies), result.Reason)
			}
		})
	}
}

func TestSingleNodeFallsBack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.script("POST /api/2.1/clusters/create", says(400, "INVALID_PARAMETER_VALUE", "is_single_node is not supported by this policy"))
	result, bodies := created(t, s, s.options())
	if result.Verdict != verdict.Pass || len(bodies) != 1 || bodies[0].NumWorkers == nil || fact(result, "single node") != SingleNodeConf {
		t.Errorf("%s: %s; %+v", result.Verdict, result.Reason, bodies)
	}
	o := s.options()
	o.SingleNode = SingleNodeFlag
	s.script("POST /api/2.1/clusters/create", says(400, "INVALID_PARAMETER_VALUE", "is_single_node is not supported by this policy"))
	if result := run(t, o, testSpec()); result.Verdict != verdict.Inconclusive || result.Code != launch.CodeConfiguration || !errors.Is(result.Err(), verdict.ErrUsage) {
		t.Errorf("who insists gets %s, %s, %v", result.Verdict, result.Code, result.Err())
	}
}

func urls(bodies []createBody) []string {
	var all []string
	for _, b := range bodies {
		all = append(all, b.DockerImage.URL)
	}
	return all
}

func fact(r *launch.Result, name string) string {
	for _, f := range r.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
