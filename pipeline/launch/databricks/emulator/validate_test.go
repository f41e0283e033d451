package emulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// wanted is a good request; nil takes a field away.
func wanted(changes map[string]any) map[string]any {
	r := map[string]any{
		"cluster_name": "v", "spark_version": "16.4.x-scala2.12", "node_type_id": "m5d.large", "kind": "CLASSIC_PREVIEW", "is_single_node": true,
		"docker_image": map[string]any{"url": "registry.example.com/spark:1"},
	}
	for key, value := range changes {
		if value == nil {
			delete(r, key)
			continue
		}
		r[key] = value
	}
	return r
}

type changes = map[string]any

func TestWhatCreateRefuses(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	tags := func(n int) map[string]string {
		all := map[string]string{}
		for i := range n {
			all[fmt.Sprintf("tag-%d", i)] = "x"
		}
		return all
	}
	old := changes{"is_single_node": nil, "kind": nil, "num_workers": 0, "spark_conf": map[string]string{profileKey: singleNode, masterKey: "local[*]"}, "custom_tags": map[string]string{resourceTag: resourceNode}}
	older := func(more changes) changes {
		c := maps.Clone(old)
		maps.Copy(c, more)
		return c
	}
	script := func(s map[string]any) changes { return changes{"init_scripts": []any{s}} }
	for _, test := range []struct {
		name    string
		changes changes
		code    string // empty: it is accepted
		want    string
	}{
		{"good", nil, "", ""},
		{"good, the older way", old, "", ""},
		{"no runtime", changes{"spark_version": nil}, "INVALID_PARAMETER_VALUE", "'spark_version'"},
		{"an unknown runtime", changes{"spark_version": "16.9.x-scala2.12"}, "INVALID_PARAMETER_VALUE", "Invalid spark version 16.9.x-scala2.12"},
		{"a runtime for machine learning", changes{"spark_version": "16.4.x-cpu-ml-scala2.12"}, "INVALID_PARAMETER_VALUE", "Machine Learning"},
		{"machine learning the newer way", changes{"use_ml_runtime": true}, "INVALID_PARAMETER_VALUE", "Machine Learning"},
		{"that without an image", changes{"use_ml_runtime": true, "docker_image": nil}, "", ""},
		{"no node type", changes{"node_type_id": nil}, "INVALID_PARAMETER_VALUE", "'node_type_id'"},
		{"an unknown node type", changes{"node_type_id": "z9.huge"}, "INVALID_PARAMETER_VALUE", "Node type z9.huge is not supported"},
		{"an unknown node type of the driver", changes{"driver_node_type_id": "z9.huge"}, "INVALID_PARAMETER_VALUE", "Node type z9.huge"},
		{"one that is not to be had", changes{"node_type_id": "c5d.large"}, "INVALID_PARAMETER_VALUE", "not available"},
		{"ARM", changes{"node_type_id": "m6gd.large"}, "INVALID_PARAMETER_VALUE", "ARM node type m6gd.large"},
		{"ARM without an image", changes{"node_type_id": "m6gd.large", "docker_image": nil}, "", ""},
		{"a runtime for ARM", changes{"spark_version": "16.4.x-aarch64-scala2.12"}, "INVALID_PARAMETER_VALUE", "ARM runtime"},
		{"standard access mode", changes{"data_security_mode": "DATA_SECURITY_MODE_STANDARD"}, "INVALID_PARAMETER_VALUE", "access mode"},
		{"the older name of it", changes{"data_security_mode": "USER_ISOLATION"}, "INVALID_PARAMETER_VALUE", "access mode USER_ISOLATION"},
		{"an unknown access mode", changes{"data_security_mode": "OURS"}, "MALFORMED_REQUEST", "OURS"},
		{"no workers are told", changes{"is_single_node": nil, "kind": nil}, "INVALID_PARAMETER_VALUE", "num_workers and autoscale must"},
		{"none, and no single node", older(changes{"spark_conf": nil}), "INVALID_PARAMETER_VALUE", profileKey},
		{"the tag is missing", older(changes{"custom_tags": nil}), "INVALID_PARAMETER_VALUE", resourceTag},
		{"negative", older(changes{"num_workers": -1}), "INVALID_PARAMETER_VALUE", "negative"},
		{"both sizes", older(changes{"autoscale": changes{"min_workers": 1, "max_workers": 2}}), "INVALID_PARAMETER_VALUE", "Only one"},
		{"a range the wrong way round", older(changes{"num_workers": nil, "autoscale": changes{"min_workers": 3, "max_workers": 2}}), "INVALID_PARAMETER_VALUE", "range"},
		{"a range", older(changes{"num_workers": nil, "autoscale": changes{"min_workers": 1, "max_workers": 2}}), "", ""},
		{"a single node with workers", changes{"num_workers": 2}, "INVALID_PARAMETER_VALUE", "cannot have workers"},
		{"a single node without its kind", changes{"kind": nil}, "INVALID_PARAMETER_VALUE", "CLASSIC_PREVIEW"},
		{"an unknown kind", changes{"kind": "NEW"}, "MALFORMED_REQUEST", "kind"},
		{"45 tags", changes{"custom_tags": tags(45)}, "", ""},
		{"46 tags", changes{"custom_tags": tags(46)}, "INVALID_PARAMETER_VALUE", "At most 45"},
		{"a long key", changes{"custom_tags": map[string]string{strings.Repeat("k", 128): "x"}}, "INVALID_PARAMETER_VALUE", "127"},
		{"a long value", changes{"custom_tags": map[string]string{"k": strings.Repeat("v", 256)}}, "INVALID_PARAMETER_VALUE", "255"},
		{"a tag of the platform's", changes{"custom_tags": map[string]string{"ClusterId": "x"}}, "INVALID_PARAMETER_VALUE", "default tag"},
		{"10 minutes", changes{"autotermination_minutes": 10}, "", ""},
		{"9 minutes", changes{"autotermination_minutes": 9}, "INVALID_PARAMETER_VALUE", "between 10 and 10000"},
		{"never", changes{"autotermination_minutes": 0}, "", ""},
		{"too long", changes{"autotermination_minutes": 10001}, "INVALID_PARAMETER_VALUE", "10000"},
		{"an image without an address", changes{"docker_image": changes{}}, "INVALID_PARAMETER_VALUE", "url must not be empty"},
		{"an address with a scheme", changes{"docker_image": changes{"url": "https://registry/x"}}, "INVALID_PARAMETER_VALUE", "is no image"},
		{"half a credential", changes{"docker_image": changes{"url": "x/y", "basic_auth": changes{"username": "me"}}}, "INVALID_PARAMETER_VALUE", "username and a password"},
		{"an unknown pool", changes{"instance_pool_id": "p", "node_type_id": nil}, "INVALID_PARAMETER_VALUE", "pool p does not exist"},
		{"an unknown policy", changes{"policy_id": "p"}, "INVALID_PARAMETER_VALUE", "policy with id: p"},
		{"11 keys", changes{"ssh_public_keys": make([]string, 11)}, "INVALID_PARAMETER_VALUE", "At most 10"},
		{"a script without a place", script(changes{}), "INVALID_PARAMETER_VALUE", "exactly one destination, has 0"},
		{"a script with two", script(changes{"file": changes{"destination": "file:/a"}, "dbfs": changes{"destination": "dbfs:/a"}}), "INVALID_PARAMETER_VALUE", "has 2"},
		{"a script in the wrong place", script(changes{"dbfs": changes{"destination": "/a.sh"}}), "INVALID_PARAMETER_VALUE", "begin with dbfs:/"},
		{"an empty place", script(changes{"volumes": changes{"destination": ""}}), "INVALID_PARAMETER_VALUE", "no destination"},
		{"S3 without a region", script(changes{"s3": changes{"destination": "s3://b/a.sh"}}), "INVALID_PARAMETER_VALUE", "region"},
		{"a workspace's", script(changes{"workspace": changes{"destination": "/tmp/a.sh"}}), "INVALID_PARAMETER_VALUE", "/Users/"},
		{"the image's", script(changes{"file": changes{"destination": "file:/opt/a.sh"}}), "", ""},
		{"logs nowhere", changes{"cluster_log_conf": changes{}}, "INVALID_PARAMETER_VALUE", "exactly one"},
		{"logs", changes{"cluster_log_conf": changes{"dbfs": changes{"destination": "dbfs:/logs"}}}, "", ""},
		{"a variable that is none", changes{"spark_env_vars": map[string]string{"A B": "x"}}, "INVALID_PARAMETER_VALUE", "no name of a variable"},
		{"an unknown engine", changes{"runtime_engine": "TURBO"}, "MALFORMED_REQUEST", "TURBO"},
		{"an unknown field", changes{"num_worker": 1}, "MALFORMED_REQUEST", `unknown field "num_worker"`},
		{"an unknown field deeper", changes{"docker_image": changes{"url": "x/y", "auth": 1}}, "MALFORMED_REQUEST", `unknown field "auth"`},
		{"a field of another type", changes{"num_workers": "one"}, "MALFORMED_REQUEST", "Could not parse"},
		{"a long token", changes{"idempotency_token": strings.Repeat("t", 65)}, "INVALID_PARAMETER_VALUE", "64"},
		{"a clone of nothing", changes{"clone_from": changes{"source_cluster_id": "none"}}, "INVALID_PARAMETER_VALUE", "Cluster none does not exist"},
	} {
		status, answer := b.post("/api/2.1/clusters/create", wanted(test.changes))
		message, _ := answer["message"].(string)
		switch {
		case test.code == "" && (status != 200 || answer["cluster_id"] == ""):
			t.Errorf("%s: %d %v", test.name, status, answer)
		case test.code != "" && (status != 400 || answer["error_code"] != test.code || !strings.Contains(message, test.want)):
			t.Errorf("%s: %d %v, want %s: %s", test.name, status, answer, test.code, test.want)
		case test.code != "":
			details, _ := json.Marshal(answer["details"])
			if !strings.Contains(string(details), "RequestInfo") || !strings.Contains(string(details), "request_id") {
				t.Errorf("%s: details %s", test.name, details)
			}
		}
	}
	for _, body := range []string{`{`, `[]`, `{"spark_version": "16.4.x-scala2.12"} more`, `null`} {
		if status, answer := b.post("/api/2.1/clusters/create", body); status != 400 {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
}

func TestTheSameTokenMakesOneCluster(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	_, first := b.post("/api/2.1/clusters/create", wanted(changes{"idempotency_token": "once"}))
	_, again := b.post("/api/2.1/clusters/create", wanted(changes{"idempotency_token": "once"}))
	if first["cluster_id"] == "" || first["cluster_id"] != again["cluster_id"] {
		t.Errorf("%v and %v", first, again)
	}
}

func TestWorkspacesThatRefuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		options Options
		code    string
		want    string
	}{
		{Options{CannotCreate: true}, "PERMISSION_DENIED", "not authorized to create clusters"},
		{Options{NoContainers: true}, "INVALID_PARAMETER_VALUE", "Custom containers is turned off"},
		{Options{Cloud: "azure"}, "INVALID_PARAMETER_VALUE", "Standard_DS3_v2"},
	} {
		b := open(t, test.options)
		_, answer := b.post("/api/2.1/clusters/create", wanted(nil))
		if message, _ := answer["message"].(string); answer["error_code"] != test.code || !strings.Contains(message, test.want) {
			t.Errorf("%+v: %v", test.options, answer)
		}
	}
	if _, err := New(Options{Cloud: "moon"}); err == nil {
		t.Error("there is a cloud called moon")
	}
}

func TestPoliciesHold(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	_, made := b.post("/api/2.0/policies/clusters/create", map[string]string{"name": "ours", "definition": `{
		"docker_image.url": {"type": "allowlist", "values": ["registry.example.com/spark:1"]}, "autotermination_minutes": {"type": "range", "maxValue": 60},
		"custom_tags.team": {"type": "fixed", "value": "platform"}, "instance_pool_id": {"type": "forbidden"}}`})
	id := made["policy_id"]
	good := changes{"policy_id": id, "autotermination_minutes": 30, "custom_tags": map[string]string{"team": "platform"}}
	for _, test := range []struct {
		changes changes
		want    string
	}{
		{good, ""},
		{changes{"policy_id": id, "autotermination_minutes": 30}, ""}, // what is fixed is filled in
		{changes{"policy_id": id}, "Validation failed for autotermination_minutes, the value must be present"},
		{changes{"policy_id": id, "autotermination_minutes": 30, "custom_tags": map[string]string{"team": "other"}}, `the value must be platform (is "other")`},
		{changes{"policy_id": id, "autotermination_minutes": 90, "custom_tags": map[string]string{"team": "platform"}}, "out of range"},
		{changes{"policy_id": id, "autotermination_minutes": 30, "docker_image": changes{"url": "x/y"}, "custom_tags": map[string]string{"team": "platform"}}, "must be one of"},
	} {
		status, answer := b.post("/api/2.1/clusters/create", wanted(test.changes))
		if message, _ := answer["message"].(string); (status == 200) != (test.want == "") || !strings.Contains(message, test.want) {
			t.Errorf("%v: %d %v", test.changes, status, answer)
		}
	}
	if status, answer := b.post("/api/2.0/policies/clusters/create", map[string]string{"name": "x", "definition": "{"}); status != 400 {
		t.Errorf("%d %v", status, answer)
	}
}
