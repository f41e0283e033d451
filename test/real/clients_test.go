//go:build real

package real

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pythonClients is the folder with the programs of tools/clients.
func pythonClients(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(top, "tools", "python-clients"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("installing the Python clients: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// environment is where a client finds the workspace, and nothing of another one.
func (w *workspace) environment() []string {
	env := []string{"DATABRICKS_HOST=" + w.host, "DATABRICKS_TOKEN=" + w.token, "DATABRICKS_CONFIG_FILE=" + os.DevNull}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DATABRICKS_") {
			env = append(env, variable)
		}
	}
	return env
}

// The older CLI leaves out the port of its host: the workspace is to listen on port 80.
func TestEmulateOlderCLI(t *testing.T) {
	h := newHome(t)
	w := emulate(t, h, "--no-launch", "--listen", "127.83.47.80:80")
	w.host = "http://127.83.47.80"
	folder := t.TempDir()
	for name, text := range map[string]string{
		"cluster.json": `{"cluster_name": "golden", "spark_version": "16.4.x-scala2.12", "node_type_id": "m5d.large", "num_workers": 1,
			"docker_image": {"url": "registry.example.com/golden:1"}, "autotermination_minutes": 30}`,
		"edited.json": `{"cluster_id": "ID", "cluster_name": "golden", "spark_version": "16.4.x-scala2.12", "node_type_id": "m5d.large", "num_workers": 1}`,
		"wrong.json":  `{"cluster_name": "golden", "spark_version": "9.9", "node_type_id": "m5d.large", "num_workers": 1}`,
		"told.sh":     "#!/bin/bash\necho told\n",
		"notes.py":    "print(1)\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(pythonClients(t), "databricks")
	id := ""
	for _, test := range []struct {
		call string
		want string // of what it prints; empty: nothing is asked of it
		fail bool
	}{
		{call: "clusters spark-versions", want: `"key": "16.4.x-scala2.12"`},
		{call: "clusters list-node-types", want: `"node_type_id": "m5d.large"`},
		{call: "clusters list-zones", want: "us-west-2a"},
		{call: "clusters create --json-file wrong.json", want: "INVALID_PARAMETER_VALUE", fail: true},
		{call: "clusters create --json-file cluster.json", want: `"cluster_id": "`},
		{call: "clusters list", want: "RUNNING"},
		{call: "clusters get --cluster-name golden", want: `"url": "registry.example.com/golden:1"`},
		{call: "clusters events --cluster-id ID", want: "DRIVER_HEALTHY"},
		{call: "clusters resize --cluster-id ID --num-workers 2"},
		{call: "clusters get --cluster-id ID", want: `"num_workers": 2`},
		{call: "libraries install --cluster-id ID --pypi-package six"},
		{call: "libraries list --cluster-id ID", want: noLibrariesHere},
		{call: "clusters restart --cluster-id ID"},
		{call: "clusters delete --cluster-id ID"},
		{call: "clusters list", want: "TERMINATED"},
		{call: "clusters edit --json-file edited.json"},
		{call: "clusters start --cluster-id ID"},
		{call: "clusters permanent-delete --cluster-id ID"},
		{call: "clusters get --cluster-id ID", want: "does not exist", fail: true},
		{call: "fs cp told.sh dbfs:/scripts/told.sh"},
		{call: "fs ls dbfs:/", want: "scripts"},
		{call: "fs cat dbfs:/scripts/told.sh", want: "echo told"},
		{call: "fs mv dbfs:/scripts dbfs:/moved"},
		{call: "fs rm -r dbfs:/moved", want: "Delete finished successfully"},
		{call: "workspace import -l PYTHON notes.py /Shared/notes"},
		{call: "workspace ls -l /Shared", want: "NOTEBOOK"},
		{call: "workspace export /Shared/notes back.py"},
		{call: "secrets create-scope --scope golden"},
		{call: "secrets put --scope golden --key team --string-value platform"},
		{call: "secrets list --scope golden", want: "team"},
		{call: "secrets list-acls --scope golden", want: "MANAGE"},
		{call: "instance-pools list"},
		{call: "cluster-policies list", want: "Personal Compute"},
		{call: "tokens create --comment test --lifetime-seconds 600", want: "token_value"},
	} {
		if strings.Contains(test.call, "edited.json") { // the call has no other place for the id
			text, err := os.ReadFile(filepath.Join(folder, "edited.json"))
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, "edited.json"), bytes.ReplaceAll(text, []byte("ID"), []byte(id)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		args := strings.Fields(strings.ReplaceAll(test.call, "ID", id))
		got := ""
		for attempt := 0; ; attempt++ { // states take their time: what is asked of one is asked again
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Dir, cmd.Env = folder, append(w.environment(), "HOME="+folder)
			out, err := cmd.CombinedOutput()
			got = string(out)
			if good := (err != nil) == test.fail && strings.Contains(got, test.want); good {
				break
			}
			if attempt == 5 {
				t.Fatalf("databricks %s: %v\n%s\nwant %q", test.call, err, got, test.want)
			}
			time.Sleep(500 * time.Millisecond)
		}
		if test.call == "clusters create --json-file cluster.json" {
			id = strings.Split(got, `"`)[3]
		}
	}
	if back, err := os.ReadFile(filepath.Join(folder, "back.py")); string(back) != "print(1)\n" {
		t.Errorf("the notebook came back as %q, %v", back, err)
	}
}

// noLibrariesHere is what the emulator says of libraries.
const noLibrariesHere = "put them into the image"
