package reasons

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const scriptsJSON = `{"global":[{"workspace":{"destination":"/Shared/audit.sh"},"status":"SUCCEEDED","execution_duration_seconds":1}],
"cluster":[{"file":{"destination":"file:/opt/setup.sh"},"status":"SUCCEEDED"},
{"workspace":{"destination":"/Shared/install.sh"},"status":"FAILED_EXECUTION","error_message":"Script exit status is non-zero: exit code 127","stderr":"+ pip install x\ninstall.sh: line 3: pip: command not found\n","execution_duration_seconds":4},
{"dbfs":{"destination":"dbfs:/last.sh"},"status":"NOT_EXECUTED"}]}`

func said(message string) map[string]string {
	return map[string]string{"databricks_error_message": message}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		ended  Ended
		code   string
		reason string // whole
	}{
		"an init script, one by one": {
			Ended{
				Code: "INIT_SCRIPT_FAILURE", Type: "CLIENT_ERROR",
				Parameters: map[string]string{"instance_id": "i-0abc", "databricks_error_message": "Cluster scoped init script /Shared/install.sh failed: Script exit status is non-zero"},
				Events:     []Event{{at.Add(time.Second), "TERMINATING", "{}"}, {at, "INIT_SCRIPTS_FINISHED", scriptsJSON}},
			},
			launch.CodeInitScript,
			`an init script of the launch calls a program that is not in the image: init script /Shared/install.sh failed with exit code 127 after 4 s: "+ pip install x install.sh: line 3: pip: command not found"; ` +
				`1 after it did not run; the workspace says "Cluster scoped init script /Shared/install.sh failed: Script exit status is non-zero" (INIT_SCRIPT_FAILURE, instance id i-0abc)`,
		},
		"events in words": {
			Ended{Code: "SPARK_STARTUP_FAILURE", Events: []Event{
				{at, "CREATING", "not telling"},
				{at.Add(1), "DRIVER_NOT_RESPONDING", "driver is up but is not responsive"},
				{at.Add(2), "SPARK_EXCEPTION", `java.lang.NoSuchMethodError: "x"`},
				{at.Add(3), "DRIVER_UNAVAILABLE", ""},
			}},
			launch.CodeDriver,
			`Spark did not start in the container: event DRIVER_UNAVAILABLE; event SPARK_EXCEPTION says "java.lang.NoSuchMethodError: 'x'"; ` +
				`event DRIVER_NOT_RESPONDING says "driver is up but is not responsive" (SPARK_STARTUP_FAILURE)`,
		},
		"a parameter in its place": {
			Ended{Code: "USER_REQUEST", Type: "SUCCESS", Parameters: map[string]string{"username": "ada@example.com"}},
			CodeEnded, "the cluster was ended by request of ada@example.com (USER_REQUEST)",
		},
		"a cloud's own code and words": {
			Ended{Code: "AZURE_QUOTA_EXCEEDED_EXCEPTION", Parameters: map[string]string{"azure_error_code": "QuotaExceeded", "azure_error_message": "no cores left."}},
			CodeWorkspace, `a quota of the Azure subscription is used up (QuotaExceeded): Azure says "no cores left" (AZURE_QUOTA_EXCEEDED_EXCEPTION)`,
		},
		"one thing said by two": {
			Ended{Code: "INVALID_ARGUMENT", Parameters: said("no such runtime"), Events: []Event{{at, "ADD_NODES_FAILED", "no such runtime"}}},
			CodeConfiguration, `the workspace refuses something that the launch asks for: the workspace says "no such runtime" (INVALID_ARGUMENT)`,
		},
		"a code of tomorrow": {
			Ended{Code: "MOON_PHASE", Type: "SERVICE_FAULT", Parameters: said("full moon")},
			CodeWorkspace, `the workspace ended the cluster with a code that this version of Hallmark does not know, and calls it a fault of its own: the workspace says "full moon" (MOON_PHASE)`,
		},
		"nothing at all": {
			Ended{}, CodeWorkspace, "the workspace ended the cluster with no code and did not say whose fault it was (no code)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Explain(test.ended)
			if got.Reason != test.reason || got.Code != test.code {
				t.Errorf("%s\n got %s\nwant %s", got.Code, got.Reason, test.reason)
			}
			if got.Remedy == "" {
				t.Error("it has no remedy")
			}
			if len(got.Events) != len(test.ended.Events) {
				t.Errorf("%d events became %d", len(test.ended.Events), len(got.Events))
			}
		})
	}
}

// What the platform's words decide, where its code alone says too little.
func TestRefinements(t *testing.T) {
	t.Parallel()
	scripts := func(detail string) Ended {
		return Ended{Code: "INIT_SCRIPT_FAILURE", Events: []Event{{Type: "INIT_SCRIPTS_FINISHED", Text: `{"cluster":[` + detail + `]}`}}}
	}
	pull := func(message string) Ended { return Ended{Code: "DOCKER_IMAGE_PULL_FAILURE", Parameters: said(message)} }
	for name, test := range map[string]struct {
		ended Ended
		class Class
		retry bool
		code  string
	}{
		"a pull nobody explains":     {pull("Failed to pull docker image"), ClassConfiguration, false, launch.CodePull},
		"a pull without credentials": {pull("pull access denied for x, repository does not exist or may require 'docker login'"), ClassConfiguration, false, launch.CodeDenied},
		"an expired token":           {pull("unauthorized: authentication required"), ClassConfiguration, false, launch.CodeDenied},
		"a tag that is gone":         {pull("manifest unknown: manifest tagged by x is not found"), ClassConfiguration, false, launch.CodePull},
		"a registry's limit":         {pull("toomanyrequests: You have reached your unauthenticated pull rate limit"), ClassSurroundings, true, launch.CodePull},
		"a registry out of reach":    {pull("dial tcp 10.0.0.1:443: i/o timeout"), ClassSurroundings, true, launch.CodePull},
		"a name that is not there":   {pull("dial tcp: lookup r.example.com: no such host"), ClassSurroundings, true, launch.CodePull},
		"a private authority":        {pull("x509: certificate signed by unknown authority"), ClassConfiguration, false, launch.CodePull},
		"another architecture":       {pull("no matching manifest for linux/amd64 in the manifest list entries"), ClassImage, false, launch.CodePlatform},
		"a full disk":                {pull("write /var/lib/docker/x: no space left on device"), ClassImage, false, launch.CodeDisk},
		"a container":                {Ended{Code: "CONTAINER_LAUNCH_FAILURE"}, ClassImage, false, launch.CodeStart},
		"a container too slow":       {Ended{Code: "CONTAINER_LAUNCH_FAILURE", Parameters: said("Exception: Container setup has timed out")}, ClassSurroundings, true, launch.CodeTimeout},
		"a script that failed":       {scripts(`{"file":{"destination":"file:/a.sh"},"status":"FAILED_EXECUTION"}`), ClassImage, false, launch.CodeInitScript},
		"a script of the workspace":  {scripts(`{"workspace":{"destination":"/a.sh"},"status":"FAILED_EXECUTION"}`), ClassConfiguration, false, launch.CodeInitScript},
		"a script of a volume":       {scripts(`{"volumes":{"destination":"/Volumes/a/b/c.sh"},"status":"FAILED_EXECUTION","error_message":"exit code 1"}`), ClassConfiguration, false, launch.CodeInitScript},
		"a script of DBFS":           {scripts(`{"dbfs":{"destination":"dbfs:/a.sh"},"status":"FAILED_EXECUTION"}`), ClassConfiguration, false, launch.CodeInitScript},
		"a script of S3":             {scripts(`{"s3":{"destination":"s3://b/a.sh"},"status":"FAILED_EXECUTION"}`), ClassConfiguration, false, launch.CodeInitScript},
		"a script of Azure":          {scripts(`{"abfss":{"destination":"abfss://c@d/a.sh"},"status":"FAILED_EXECUTION"}`), ClassConfiguration, false, launch.CodeInitScript},
		"a script of Google":         {scripts(`{"gcs":{"destination":"gs://b/a.sh"},"status":"FAILED_EXECUTION"}`), ClassConfiguration, false, launch.CodeInitScript},
		"a program that is missing":  {scripts(`{"workspace":{"destination":"/a.sh"},"status":"FAILED_EXECUTION","error_message":"Script exit status is non-zero: exit code 127"}`), ClassImage, false, launch.CodeInitScript},
		"files without a network":    {Ended{Code: "NFS_MOUNT_FAILURE", Parameters: said("mount.nfs: No route to host")}, ClassSurroundings, true, CodeWorkspace},
		"DBFS without a network":     {Ended{Code: "DBFS_COMPONENT_UNHEALTHY", Parameters: said("java.net.UnknownHostException: x")}, ClassSurroundings, true, CodeWorkspace},
		"a script not fetched":       {scripts(`{"workspace":{"destination":"/a.sh"},"status":"FAILED_FETCH","error_message":"not found"}`), ClassConfiguration, false, launch.CodeInitScript},
		"a script not in the image":  {scripts(`{"file":{"destination":"file:/a.sh"},"status":"FAILED_FETCH","error_message":"not found"}`), ClassImage, false, launch.CodeInitScript},
		"a script not mounted":       {scripts(`{"volumes":{"destination":"/Volumes/a.sh"},"status":"FUSE_MOUNT_FAILED"}`), ClassSurroundings, true, launch.CodeInitScript},
		"the script's own words":     {scripts(`{"workspace":{"destination":"/a.sh"},"status":"FAILED_EXECUTION","stderr":"FAILED_FETCH FUSE_MOUNT_FAILED exit code 127"}`), ClassConfiguration, false, launch.CodeInitScript},
		"a driver":                   {Ended{Code: "DRIVER_UNREACHABLE"}, ClassImage, false, launch.CodeDriver},
		"a driver without a network": {Ended{Code: "DRIVER_UNREACHABLE", Events: []Event{{Type: "DRIVER_UNAVAILABLE", Text: "java.net.UnknownHostException: x"}}}, ClassSurroundings, true, CodeWorkspace},
		"an event that tells nothing": {
			Ended{Code: "DRIVER_UNREACHABLE", Events: []Event{{Type: "RUNNING", Text: "java.net.UnknownHostException: x"}}}, ClassImage, false, launch.CodeDriver,
		},
		"a secret":             {Ended{Code: "SECRET_RESOLUTION_ERROR"}, ClassConfiguration, false, CodeConfiguration},
		"a secret just now":    {Ended{Code: "SECRET_RESOLUTION_ERROR", Parameters: said("secret manager: 503 Service Unavailable")}, ClassSurroundings, true, CodeWorkspace},
		"no secret made":       {Ended{Code: "SECRET_CREATION_FAILURE", Parameters: said("request timed out")}, ClassSurroundings, true, CodeWorkspace},
		"services not enabled": {Ended{Code: "INVALID_ARGUMENT", Parameters: said("Custom containers is not enabled in this workspace")}, ClassConfiguration, false, CodeConfiguration},
		"a quota":              {Ended{Code: "CLOUD_PROVIDER_LAUNCH_FAILURE", Parameters: map[string]string{"aws_api_error_code": "VcpuLimitExceeded"}}, ClassSurroundings, false, CodeWorkspace},
		"a role":               {Ended{Code: "CLOUD_PROVIDER_LAUNCH_FAILURE", Parameters: map[string]string{"aws_api_error_code": "UnauthorizedOperation"}}, ClassConfiguration, false, launch.CodeDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Judge(test.ended), Explain(test.ended)
			if got.Class != test.class || got.Retry != test.retry || err.Code != test.code {
				t.Errorf("%s, retry %v, %s: %s", got.Class, got.Retry, err.Code, got.Sentence)
			}
			if fails := test.class == ClassImage; fails != (err.Verdict == verdict.Fail) || verdict.OfError(err) != err.Verdict {
				t.Errorf("the verdict is %s", err.Verdict)
			}
			if errors.Is(err, verdict.ErrUsage) != (test.class == ClassConfiguration) {
				t.Errorf("usage: %v", errors.Is(err, verdict.ErrUsage))
			}
		})
	}
}

// A refinement is for one kind of message, not for whatever is said.
func TestNoPatternMatchesEverything(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		for _, w := range table()[code].When {
			if w.pattern.MatchString("") || w.pattern.MatchString("the cluster ended") {
				t.Errorf("%s: %s matches whatever is said", code, w.Says)
			}
		}
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	all, ok := Scripts(Event{Type: "INIT_SCRIPTS_FINISHED", Text: scriptsJSON})
	if !ok || len(all) != 4 {
		t.Fatalf("%v, %v", all, ok)
	}
	want := Script{
		Scope: "cluster", Path: "/Shared/install.sh", Status: "FAILED_EXECUTION", ExitCode: "127", Seconds: 4,
		Message: "Script exit status is non-zero: exit code 127", Stderr: "+ pip install x install.sh: line 3: pip: command not found",
	}
	if all[2] != want {
		t.Errorf("got %+v", all[2])
	}
	if text := all[0].String(); text != "the workspace's init script /Shared/audit.sh succeeded after 1 s" {
		t.Error(text)
	}
	for message, code := range map[string]string{
		"exit code 3": "3", "Script exited with status: 12.": "12", "Script exit status is non-zero (127)": "127",
		"exit code: 1": "1", "Script exit status is non-zero": "", "took 30 s to exit": "", "exit code 12345": "",
	} {
		if got := (scriptDetail{Message: message}).script("cluster").ExitCode; got != code {
			t.Errorf("%q: %q, want %q", message, got, code)
		}
	}
	for _, e := range []Event{{Type: "RUNNING", Text: scriptsJSON}, {Type: "INIT_SCRIPTS_FINISHED", Text: "all well"}, {Type: "INIT_SCRIPTS_FINISHED", Text: "{"}, {Type: "INIT_SCRIPTS_FINISHED"}} {
		if all, ok := Scripts(e); ok || all != nil {
			t.Errorf("%+v: %v", e, all)
		}
	}
	// Words instead of JSON are quoted as they are.
	got := Explain(Ended{Code: "INIT_SCRIPT_FAILURE", Events: []Event{{Type: "INIT_SCRIPTS_FINISHED", Text: "a.sh: exit 3"}}})
	if !strings.Contains(got.Reason, `event INIT_SCRIPTS_FINISHED says "a.sh: exit 3"`) {
		t.Error(got.Reason)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	const planted = "dapi-5f8a-planted-for-reasons"
	secret.Mask(planted)
	pad := strings.Repeat(" x", 5<<10) + strings.Repeat(" ", 16<<10-12)
	for name, e := range map[string]Ended{
		"a message":      {Code: "INVALID_ARGUMENT", Parameters: said("token " + planted)},
		"a name":         {Code: "USER_REQUEST", Parameters: map[string]string{"username": planted}},
		"a code":         {Code: planted},
		"an event":       {Code: "SPARK_ERROR", Events: []Event{{Type: "SPARK_EXCEPTION", Text: planted}}},
		"an event type":  {Code: "SPARK_ERROR", Events: []Event{{Type: planted, Text: "x"}}},
		"stderr":         {Code: "INIT_SCRIPT_FAILURE", Events: []Event{{Type: "INIT_SCRIPTS_FINISHED", Text: `{"cluster":[{"status":"FAILED_EXECUTION","stderr":"` + planted + `"}]}`}}},
		"words":          {Code: "INIT_SCRIPT_FAILURE", Events: []Event{{Type: "INIT_SCRIPTS_FINISHED", Text: "password " + planted}}},
		"where it's cut": {Code: "INVALID_ARGUMENT", Parameters: said(strings.Repeat(" ", 16<<10-12) + planted)},
		"a cut stderr":   {Code: "INIT_SCRIPT_FAILURE", Events: []Event{{Type: "INIT_SCRIPTS_FINISHED", Text: `{"cluster":[{"status":"FAILED_EXECUTION","stderr":"` + pad + planted + strings.Repeat(" ", 1590) + `end"}]}`}}},
	} {
		err := Explain(e)
		text := err.Error() + err.Unwrap().Error()
		for _, event := range err.Events {
			text += event.Text
		}
		if strings.Contains(text, "planted") || strings.Contains(text, "dapi-5f") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("INIT_SCRIPT_FAILURE", "CLIENT_ERROR", "databricks_error_message", "Script exit status is non-zero", "INIT_SCRIPTS_FINISHED", scriptsJSON)
	f.Add("NEW", "SUCCESS", "username", "ada\x1b[31m\u202e", "SPARK_EXCEPTION", strings.Repeat("x", 9000))
	f.Add("CLOUD_PROVIDER_LAUNCH_FAILURE", "", "aws_api_error_code", "[{instance_id}]", "\xff", "\x00\r\n")
	f.Fuzz(func(t *testing.T, code, kind, name, value, event, text string) {
		ended := Ended{Code: code, Type: kind, Parameters: map[string]string{name: value}}
		for i := range 3 {
			ended.Events = append(ended.Events, Event{At: time.Unix(int64(i), 0), Type: event, Text: text[min(i, len(text)):]})
		}
		err := Explain(ended)
		lines := []string{err.Reason, err.Remedy}
		for _, e := range err.Events {
			lines = append(lines, e.Text)
		}
		for _, line := range lines {
			if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r != utf8.RuneError && !unicode.IsPrint(r) }) {
				t.Errorf("not one printable line: %q", line)
			}
			if n := utf8.RuneCountInString(line); n > 8000 {
				t.Errorf("%d characters", n)
			}
		}
		if err.Remedy == "" || err.Code == "" || strings.TrimSpace(err.Reason) == "" {
			t.Errorf("something is missing: %+v", err)
		}
		if _, known := Lookup(code); !known && err.Verdict == verdict.Fail {
			t.Error("a code that nobody knows blames the image")
		}
		if r := Judge(ended); (err.Verdict == verdict.Fail) != (r.Class == ClassImage) || r.Retry && r.Class != ClassSurroundings {
			t.Errorf("%+v is not what was explained: %s", r, err.Verdict)
		}
	})
}
