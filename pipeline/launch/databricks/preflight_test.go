package databricks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestPreflight(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*Options, *server)
		want   []string // parts of the reason; none: it passes
		notes  []string // parts of the events
	}{
		{"all is well", func(*Options, *server) {}, nil, nil},
		{"everything at once", func(o *Options, s *server) {
			o.Runtime, o.NodeType, o.Policy = "12.2", "m5d.huge", "nobody"
			o.Scripts = []Script{{Kind: "workspace", Path: "/Users/a/init.sh"}, {Kind: "dbfs", Path: "dbfs:/b.sh"}, {Kind: "volumes", Path: "/Volumes/a/b/c.sh"}}
			s.conf = map[string]any{"enableDcs": "false"}
			o.Private = func(context.Context) (bool, error) { return true, nil }
		}, []string{
			"8 things speak against it", "no runtime 12.2; it has 17.3, 16.4, 15.4", "no node type m5d.huge", "container services are not enabled", "no policy nobody",
			"the registry wants credentials", "init script /Users/a/init.sh is not there", "dbfs:/b.sh is not there", "/Volumes/a/b/c.sh is not there",
		}, nil},
		{"no right to create", func(_ *Options, s *server) {
			s.user["entitlements"], s.user["groups"] = []map[string]any{{"value": "workspace-access"}}, nil
		}, []string{"ci@example.com may not create clusters"}, nil},
		{"a policy is a right", func(o *Options, s *server) {
			s.user["entitlements"], o.Policy = nil, "p"
			s.policies["p"] = map[string]any{"policy_id": "p", "name": "p"}
		}, nil, nil},
		{"an administrator", func(_ *Options, s *server) {
			s.user["entitlements"], s.user["groups"] = nil, []map[string]any{{"display": "admins"}}
		}, nil, nil},
		{"a group may have the right", func(_ *Options, s *server) {
			s.user["entitlements"], s.user["groups"] = nil, []map[string]any{{"display": "users"}, {"display": "engineers"}}
		}, nil, []string{"cannot be known whether ci@example.com may create clusters", "engineers"}},
		{"everybody may have the right", func(_ *Options, s *server) {
			s.user["entitlements"], s.user["groups"] = nil, []map[string]any{{"display": "users"}}
		}, nil, []string{"cannot be known whether ci@example.com may create clusters", "(users)"}},
		{"container services were never set", func(_ *Options, s *server) { s.conf = map[string]any{"enableDcs": nil} }, []string{"container services are not enabled"}, nil},
		{"who is no administrator is not told", func(_ *Options, s *server) {
			s.script("GET /api/2.0/workspace-conf", says(403, "PERMISSION_DENIED", "Only admins can get workspace conf"))
		}, nil, []string{"only administrators are told"}},
		{"the platform's key", func(o *Options, _ *server) { o.Runtime = "16.4.x-scala2.13" }, nil, nil},
		{"a key that is not there", func(o *Options, _ *server) { o.Runtime = "16.4.x-scala2.11" }, []string{"no runtime 16.4.x-scala2.11"}, nil},
		{"graviton", func(o *Options, _ *server) { o.NodeType = "m6gd.large" }, []string{"m6gd.large has ARM processors"}, nil},
		{"a typing mistake", func(o *Options, _ *server) { o.NodeType = "M5D.large" }, []string{"no node type M5D.large; there is m5d.large"}, nil},
		{"a gpu", func(o *Options, _ *server) { o.NodeType = GPU }, nil, nil},
		{"no gpu", func(o *Options, s *server) { o.NodeType, s.nodes = GPU, s.nodes[:3] }, []string{"no node type with a GPU"}, nil},
		{"no local disk", func(_ *Options, s *server) { s.nodes = s.nodes[1:2] }, []string{"no node type with a local disk"}, nil},
		{"a pool of ARM machines", func(o *Options, s *server) {
			o.NodeType, o.Pool = "", "p"
			s.pools["p"] = map[string]any{"instance_pool_id": "p", "node_type_id": "m6gd.large", "state": "ACTIVE"}
		}, []string{"ARM processors"}, nil},
		{"the driver's pool is one of ARM machines", func(o *Options, s *server) {
			o.NodeType, o.Pool, o.DriverPool = "", "p", "q"
			s.pools["p"] = map[string]any{"instance_pool_id": "p", "node_type_id": "m5d.large", "state": "ACTIVE"}
			s.pools["q"] = map[string]any{"instance_pool_id": "q", "node_type_id": "m6gd.large", "state": "ACTIVE"}
		}, []string{"m6gd.large has ARM processors"}, nil},
		{"pools that are not there", func(o *Options, s *server) {
			o.NodeType, o.Pool, o.DriverPool = "", "p", "q"
			s.pools["q"] = map[string]any{"instance_pool_id": "q", "node_type_id": "m5d.large", "state": "DELETED"}
		}, []string{"no instance pool p", "instance pool q is deleted"}, nil},
		{"a policy against images", func(o *Options, s *server) {
			o.Policy = "p"
			s.policies["p"] = map[string]any{"policy_id": "p", "name": "shared only", "definition": `{"data_security_mode":{"type":"fixed","value":"USER_ISOLATION"},"docker_image.url":{"type":"forbidden"},"num_workers":{"type":"fixed","value":4}}`}
		}, []string{"policy shared only", "forbids images", "fixes the number of workers to 4", "fixes the access mode to USER_ISOLATION"}, nil},
		{"a script that is too large", func(o *Options, s *server) {
			o.Scripts, s.files["dbfs:/b.sh"] = []Script{{Kind: "dbfs", Path: "dbfs:/b.sh"}}, strings.Repeat("#", maxScript+1)
		}, []string{"larger than the 64 KiB"}, nil},
		{"a password that is not there", func(o *Options, _ *server) { o.Credentials = Credentials{"ci", "env:NO_SUCH_VARIABLE_HERE"} }, []string{"NO_SUCH_VARIABLE_HERE: the environment variable is not set"}, nil},
		{"not logged in", func(_ *Options, s *server) {
			for range 8 {
				for _, path := range []string{"GET /api/2.0/preview/scim/v2/Me", "GET /api/2.0/workspace-conf", "GET /api/2.1/clusters/spark-versions", "GET /api/2.1/clusters/list-node-types"} {
					s.script(path, says(401, "UNAUTHENTICATED", "token "+testToken+" has expired"))
				}
			}
		}, []string{"does not accept who asks (logged in with pat)", "token *** has expired"}, nil},
		{"an expired token, as the platform says it", func(_ *Options, s *server) {
			s.script("GET /api/2.0/preview/scim/v2/Me", says(403, "403", "Invalid access token."))
		}, []string{"does not accept who asks"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			o := s.options()
			test.change(&o, s)
			result := run(t, o, testSpec(python("1", "")))
			var said strings.Builder
			for _, event := range result.Events {
				said.WriteString(event.Text + "\n")
			}
			for _, note := range test.notes {
				if !strings.Contains(said.String(), note) {
					t.Errorf("%q is not among the events:\n%s", note, said.String())
				}
			}
			if len(test.want) == 0 {
				if result.Verdict != verdict.Pass {
					t.Errorf("%s: %s", result.Verdict, result.Reason)
				}
				return
			}
			for _, part := range test.want {
				if !strings.Contains(result.Reason, part) {
					t.Errorf("%q is not in: %s", part, result.Reason)
				}
			}
			if result.Verdict != verdict.Inconclusive || result.Code != launch.CodeConfiguration || !errors.Is(result.Err(), verdict.ErrUsage) || result.Remedy == "" {
				t.Errorf("%s, %s, %v, %q", result.Verdict, result.Code, result.Err(), result.Remedy)
			}
			if len(s.order) > 0 {
				t.Error("a cluster was created all the same")
			}
		})
	}
}

// The image in this machine's own registry is out of a real workspace's reach; a workspace on this machine reaches it.
// A registry that cannot be asked hides nothing of what the workspace has against the launch; alone, it is told as it is.
func TestPreflightWithoutTheRegistry(t *testing.T) {
	t.Parallel()
	down := &verdict.Error{Verdict: verdict.Inconclusive, Code: "registry.unreachable", Doing: "reading the tag", Object: "registry.example.com/platform/dbr:staging-1", Cause: errors.New("no route to host"), Remedy: "Check the network"}
	for _, test := range []struct {
		name   string
		conf   string
		code   string
		reason []string
	}{
		{"alone", "true", "registry.unreachable", []string{"no route to host"}},
		{"with others", "false", launch.CodeConfiguration, []string{"2 things speak against it", "container services are not enabled", "no route to host"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.conf = map[string]any{"enableDcs": test.conf}
			o := s.options()
			o.TagDigest = func(context.Context) (string, error) { return "", down }
			result := run(t, o, testSpec())
			if result.Verdict != verdict.Inconclusive || result.Code != test.code || !strings.Contains(result.Remedy, "Check the network") || len(s.order) > 0 {
				t.Errorf("%s (%s): %s. %s", result.Verdict, result.Code, result.Reason, result.Remedy)
			}
			for _, want := range test.reason {
				if !strings.Contains(result.Reason, want) || strings.Contains(result.Reason, "Check the network") {
					t.Errorf("the reason does not say %q, or says the remedy: %s", want, result.Reason)
				}
			}
		})
	}
}

func TestPreflightLoopbackRegistry(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	o := s.options()
	o.Tag = "127.0.0.1:5877/dbr:staging-1"
	if result := run(t, o, testSpec()); result.Verdict != verdict.Pass {
		t.Errorf("a workspace of this machine: %s", result.Reason)
	}
	for address, want := range map[string]bool{
		"127.0.0.1:80": true, "localhost": true, "http://[::1]:5": true, "http://localhost:8080/": true, "example.com": false, "https://adb-127.0.azuredatabricks.net": false,
	} {
		if OnThisMachine(address) != want {
			t.Errorf("%s: %t", address, !want)
		}
	}
	elsewhere := &findings{problems: map[int]problem{}, notes: map[int]string{}}
	w := &workspace{host: "https://adb-1.7.azuredatabricks.net"}
	if err := w.checkImage(t.Context(), o, testSpec(), &plan{}, elsewhere, 0); err != nil || !strings.Contains(elsewhere.problems[0].reason, "which no cluster reaches") {
		t.Errorf("%v, %+v", err, elsewhere.problems)
	}
}

func TestRefusedRuntimes(t *testing.T) {
	t.Parallel()
	for runtime, want := range map[string]string{
		"16.4": "", "16.4.x-scala2.12": "", "6.1": "", "6.x": "", "10.4.x-esr-scala2.12": "", "custom:snapshot__16.4": "",
		"6.0": "6.1 is the first", "5.5.x-scala2.11": "6.1 is the first", "16.4.x-cpu-ml-scala2.12": "machine learning", "15.4.x-gpu-ml-scala2.12": "machine learning", "16.4-ml": "machine learning", "16.4 ML": "machine learning",
		"7.3.x-hls-scala2.12": "genomics", "16.4.x-aarch64-scala2.12": "ARM",
	} {
		if got := refusedRuntime(runtime); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", runtime, got, want)
		}
	}
}

func TestARMNodeTypes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"m6gd.large": true, "r7g.xlarge": true, "c6gn.2xlarge": true, "t4g.medium": true, "Standard_D4pds_v6": true, "Standard_E8ps_v5": true, "c4a-standard-4": true, "t2a-standard-2": true, "n4a-standard-4": true,
		"m5d.large": false, "g5.xlarge": false, "g4dn.xlarge": false, "p3.2xlarge": false, "i3.xlarge": false, "rd-fleet.xlarge": false, "Standard_DS3_v2": false, "Standard_NC4as_T4_v3": false, "Standard_E8ds_v5": false, "n2-highmem-4": false, "g2-standard-4": false,
	} {
		if got := isARM(compute.NodeType{NodeTypeId: name}); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 41 {
		many[fmt.Sprint("tag", i)] = "x"
	}
	for want, change := range map[string]func(*Options){
		"no runtime":                 func(o *Options) { o.Runtime = "" },
		"machine learning":           func(o *Options) { o.Runtime = "16.4.x-cpu-ml-scala2.12" },
		"neither a node type":        func(o *Options) { o.NodeType = "" },
		"and a pool are named":       func(o *Options) { o.Pool = "p" },
		"the way to a single node":   func(o *Options) { o.SingleNode = "x" },
		`access mode "standard"`:     func(o *Options) { o.AccessMode = "standard" },
		"between 10 and 10000":       func(o *Options) { o.Autotermination = 1 },
		"negative number of retries": func(o *Options) { o.Retries = -1 },
		"no staging tag":             func(o *Options) { o.Tag = "" },
		"half a credential":          func(o *Options) { o.Credentials.Username = "x" },
		`init script "" of the kind`: func(o *Options) { o.Scripts = []Script{{Kind: "dbfs"}} },
		"init.sh has no region":      func(o *Options) { o.Scripts = []Script{{Kind: "s3", Path: "s3://b/init.sh"}} },
		"logs has no region":         func(o *Options) { o.LogDelivery = "s3://b/logs" },
		"41 tags are more":           func(o *Options) { o.Tags = many },
		`tag "Hallmark-Run"`:         func(o *Options) { o.Tags = map[string]string{"Hallmark-Run": "x"} },
		"longer than the platform":   func(o *Options) { o.Tags = map[string]string{"x": strings.Repeat("x", 256)} },
	} {
		o := Options{Settings: Settings{Runtime: "16.4", NodeType: Smallest}, Tag: "a/b:c"}
		change(&o)
		if _, err := New(o); !errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
