package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// files writes files into a folder of the test's, and returns that.
func files(t testing.TB, all map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runtimeFolder looks like a distribution.
func runtimeFolder(t testing.TB) string {
	return files(t, map[string]string{"bin/spark-shell": "", "bin/spark-submit": "", "jars/spark-core.jar": "", "RELEASE": "Spark 3.5.7, Java 17"})
}

func TestDatabricks(t *testing.T) {
	t.Parallel()
	runtime := runtimeFolder(t)
	local := func(text string) launch.Script {
		return launch.Script{Path: filepath.Join(files(t, map[string]string{"local.sh": text}), "local.sh")}
	}
	inside := launch.Script{Path: "/etc/passwd", Inside: true} // text enough: its first line is no command
	probe := func(kind launch.Kind, code, contains string) launch.Probe {
		return launch.Probe{Kind: kind, Code: code, Contains: contains, Timeout: 20 * time.Second}
	}
	identity := launch.Probe{Kind: launch.Command, Args: []string{"id"}, Contains: "0 0 /opt/spark/work-dir /root hello there HALLMARK_SANDBOX=\n", Timeout: 20 * time.Second}
	scala := probe(launch.Scala, "code", "ran code")
	tests := []struct {
		name    string
		variant variant
		runtime string
		scripts []launch.Script
		probes  []launch.Probe
		timeout time.Duration
		driver  time.Duration
		want    verdict.Verdict
		code    string
		reason  string
		remedy  string
		event   string
	}{
		{
			name: "all steps", scripts: []launch.Script{local("id\necho is driver: $DB_IS_DRIVER"), local("leave")},
			probes: []launch.Probe{identity, scala, probe(launch.SQL, "SELECT 1", "total\nHALLMARK_SQL=SELECT 1\n")}, want: verdict.Pass, event: "was copied to /databricks/spark, 4 files",
		},
		{name: "what the shell itself says is no answer", probes: []launch.Probe{probe(launch.Scala, "x", "42")}, want: verdict.Fail, code: launch.CodeProbe, reason: `does not contain "42"`},
		{name: "nor what it says after", probes: []launch.Probe{probe(launch.Scala, "x", "43")}, want: verdict.Fail, code: launch.CodeProbe, reason: `does not contain "43"`},
		{name: "code that throws", probes: []launch.Probe{probe(launch.Scala, "throw", ""), scala}, want: verdict.Fail, code: launch.CodeProbe, reason: "scala ended with exit code 65", event: "a driver came up"},
		{name: "no Python", probes: []launch.Probe{probe(launch.Python, "1", "")}, want: verdict.Fail, code: launch.CodeProbe, reason: "there is no Python in the image", remedy: "/databricks/python3"},
		{name: "no bash", variant: variant{without: []string{"bin/bash"}}, want: verdict.Fail, code: launch.CodeRequirement, reason: "no bash on the PATH", remedy: "Install bash"},
		{name: "no Java", variant: variant{without: []string{"bin/java"}}, want: verdict.Fail, code: launch.CodeRequirement, reason: "no java on the PATH", remedy: "8u191"},
		{name: "a wrong Java", variant: variant{faux: "newjava"}, want: verdict.Fail, code: launch.CodeDriver, reason: "Java 17.0.1 (/bin/java) and the Spark of " + runtime + ": the Java in the image is too old", remedy: "Java version"},
		{name: "a script of the image's fails", scripts: []launch.Script{inside}, want: verdict.Fail, code: launch.CodeInitScript, reason: "the init script file:/etc/passwd ended with exit code 127"},
		{name: "a script that the image lacks", scripts: []launch.Script{{Path: "/opt/none.sh", Inside: true}}, want: verdict.Fail, code: launch.CodeInitScript, reason: "file:/opt/none.sh is not in the image", remedy: "COPY"},
		{name: "a folder is no script", scripts: []launch.Script{{Path: "/opt", Inside: true}}, want: verdict.Fail, code: launch.CodeInitScript, reason: "/opt is no file"},
		{name: "a local script fails", scripts: []launch.Script{local("echo cannot go on\nexit 5"), local("echo never")}, want: verdict.Inconclusive, code: launch.CodeInitScript, reason: `local.sh ended with exit code 5`, remedy: "Correct the script", event: "local.sh (sha256:"},
		{name: "a local script lacks a program", scripts: []launch.Script{local("systemctl start it")}, want: verdict.Fail, code: launch.CodeInitScript, reason: "the program systemctl is missing"},
		{name: "a script asks for a network", scripts: []launch.Script{local("echo curl: (6) Could not resolve host: example.com\nexit 6")}, want: verdict.Inconclusive, code: launch.CodeInitScript, reason: "the sandbox has none"},
		{name: "a script hangs", scripts: []launch.Script{local("hang")}, timeout: 8 * time.Second, want: verdict.Inconclusive, code: launch.CodeInitScript, reason: "local.sh does not end within"},
		{name: "a driver that is slow", variant: variant{faux: "slow"}, timeout: 8 * time.Second, want: verdict.Inconclusive, code: launch.CodeTimeout, reason: "the driver was not up in time (8s)"},
		{name: "a driver that is still at work when its own time is over", variant: variant{faux: "slow"}, driver: 3 * time.Second, want: verdict.Inconclusive, code: launch.CodeTimeout, reason: "within 3s, and still at work; it wrote nothing", remedy: "a longer timeout"},
		{name: "a driver that has ended by itself", variant: variant{faux: "newjava"}, driver: 30 * time.Second, want: verdict.Fail, code: launch.CodeDriver, reason: "the driver does not start"},
		{name: "a script is not there", scripts: []launch.Script{{Path: "/nosuch/local.sh"}}, want: verdict.Inconclusive, code: launch.CodeMissing, reason: "the init script /nosuch/local.sh: no such file"},
		{name: "no runtime", runtime: "none", want: verdict.Inconclusive, code: launch.CodeMissing, reason: "there is no Spark distribution", remedy: "runtime"},
		{name: "a runtime that is none", runtime: t.TempDir(), want: verdict.Inconclusive, code: launch.CodeMissing, reason: "is no Spark distribution: bin/spark-shell: no such file"},
		{name: "nothing to install", probes: []launch.Probe{{Kind: launch.Pip, From: "/nosuch/x.whl"}}, want: verdict.Inconclusive, code: launch.CodeMissing, reason: "/nosuch/x.whl"},
		{
			name: "an image with a runtime of its own keeps it", want: verdict.Pass, event: "copied to /databricks/hallmark-spark",
			variant: variant{config: func(c *v1.ConfigFile) { c.Config.WorkingDir = "/databricks/spark" }},
		},
	}
	sandboxed := target(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			candidate, _ := push(t, image(t, test.variant))
			folder := runtime
			if test.runtime != "" {
				folder = strings.TrimPrefix(test.runtime, "none")
			}
			timeout := time.Minute
			if test.timeout != 0 {
				timeout = test.timeout
			}
			got, err := launch.Run(t.Context(), sandboxed, launch.Spec{
				Subject: candidate, Profile: launch.Databricks, Runtime: folder, Scripts: test.scripts, Probes: test.probes, Limits: limits, Timeout: timeout, DriverTime: test.driver, RunID: "test",
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != test.want || got.Code != test.code || !strings.Contains(got.Reason, test.reason) || !strings.Contains(got.Remedy, test.remedy) {
				t.Errorf("verdict %s, code %q\nreason %s\nremedy %s", got.Verdict, got.Code, got.Reason, got.Remedy)
			}
			said := ""
			for _, event := range got.Events {
				said += event.Text + "\n"
			}
			if !strings.Contains(said, test.event) {
				t.Errorf("events do not say %q:\n%s", test.event, said)
			}
			for i, script := range got.Scripts {
				if script.Name != test.scripts[i].Name() || !strings.HasPrefix(script.Digest, "sha256:") {
					t.Errorf("script %+v", script)
				}
			}
			if want := test.name == "all steps"; want && (len(got.Scripts) != 2 || got.Scripts[0].Output != "uid 0\nis driver: TRUE\n" || !strings.HasSuffix(got.Runtime, "; Spark 3.5.7, Java 17 on local[*]")) {
				t.Errorf("scripts %+v on %s", got.Scripts, got.Runtime)
			}
			if t.Failed() {
				t.Logf("log:\n%s\nprobes: %+v", got.LogTail, got.Probes)
			}
		})
	}
}
