package pipeline

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestWorkspaceSettings(t *testing.T) {
	t.Parallel()
	got := workspaceSettings(config.Databricks{
		Profile: "ci", Host: "https://adb-1.7.azuredatabricks.net/", Runtime: "16.4", NodeType: "smallest", SingleNode: "auto", PolicyID: "p", InstancePoolID: "i", DriverInstancePoolID: "d",
		AccessMode: "dedicated", Credentials: config.PullCredential{Username: "ci", Password: "{{secrets/a/b}}"},
		InitScripts: []config.InitScript{{S3: &config.S3Object{Destination: "s3://b/i.sh", Region: "eu-west-1"}}, {File: "/opt/i.sh"}, {Volumes: "/Volumes/a/b/c/i.sh"}},
		SparkConf:   map[string]string{"a": "b"}, Env: map[string]string{"c": "d"}, Tags: map[string]string{"e": "f"}, LogDelivery: "dbfs:/logs/", LogRegion: "",
		Autotermination: config.Duration(time.Hour), Retries: 1, Keep: "never",
	})
	want := databricks.Settings{
		Profile: "ci", Host: "https://adb-1.7.azuredatabricks.net", Runtime: "16.4", NodeType: "smallest", SingleNode: "auto", Policy: "p", Pool: "i", DriverPool: "d",
		AccessMode: "dedicated", Credentials: databricks.Credentials{Username: "ci", Password: "{{secrets/a/b}}"},
		Scripts: []databricks.Script{
			{Kind: "s3", Path: "s3://b/i.sh", Region: "eu-west-1"}, {Kind: "file", Path: "file:/opt/i.sh"}, {Kind: "volumes", Path: "/Volumes/a/b/c/i.sh"},
		},
		SparkConf: map[string]string{"a": "b"}, Env: map[string]string{"c": "d"}, Tags: map[string]string{"e": "f"}, LogDelivery: "dbfs:/logs",
		Autotermination: time.Hour, Retries: 1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// What a launch in a workspace is made from decides whether it is made again; who pulls, and how patiently, does not.
func TestWorkspaceInputs(t *testing.T) {
	t.Parallel()
	inputs := func(change func(*config.Launch)) string {
		cfg := config.Launch{Target: "databricks", Profile: "databricks", Databricks: &config.Databricks{Runtime: "16.4", Retries: 2}, Probes: []config.Probe{{GPU: &config.GPU{}}}}
		change(&cfg)
		text, err := launchInputs(cfg, "1")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	usual := inputs(func(*config.Launch) {})
	for name, change := range map[string]func(*config.Launch){
		"runtime": func(l *config.Launch) { l.Databricks.Runtime = "15.4" }, "node type": func(l *config.Launch) { l.Databricks.NodeType = "x" },
		"settings": func(l *config.Launch) { l.Databricks.SparkConf = map[string]string{"a": "b"} }, "scripts": func(l *config.Launch) { l.Databricks.InitScripts = []config.InitScript{{File: "/a"}} },
		"host": func(l *config.Launch) { l.Databricks.Host = "https://x" }, "probes": func(l *config.Launch) { l.Probes = nil }, "mode": func(l *config.Launch) { l.Databricks.AccessMode = "none" },
	} {
		if inputs(change) == usual {
			t.Errorf("%s does not count", name)
		}
	}
	for name, change := range map[string]func(*config.Launch){
		"credentials": func(l *config.Launch) { l.Databricks.Credentials.Password = "env:X" }, "retries": func(l *config.Launch) { l.Databricks.Retries = 0 },
		"autotermination": func(l *config.Launch) { l.Databricks.Autotermination = 1 },
	} {
		if inputs(change) != usual {
			t.Errorf("%s counts", name)
		}
	}
}

func TestWorkspaceProbes(t *testing.T) {
	t.Parallel()
	got := probes([]config.Probe{
		{R: &config.R{Code: "cat(1)", Expect: "1", Timeout: config.Duration(time.Minute)}}, {Fuse: &config.Fuse{Path: "/dbfs", Write: true, Expect: "a.csv", Matches: "holds [1-9]"}}, {GPU: &config.GPU{Expect: "A10G", Matches: "535"}},
	})
	want := []launch.Probe{{Kind: launch.R, Code: "cat(1)", Contains: "1", Timeout: time.Minute}, {Kind: launch.Fuse, Path: "/dbfs", Write: true, Contains: "a.csv", Matches: "holds [1-9]"}, {Kind: launch.GPU, Contains: "A10G", Matches: "535"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if names, err := launch.Names(got, launch.Databricks); err != nil || fmt.Sprint(names) != "[r fuse /dbfs gpu]" {
		t.Errorf("%v, %v", names, err)
	}
}

// What the workspace was, and what it pulled, stands in the report of this run and of the next.
func TestWorkspaceFacts(t *testing.T) {
	t.Parallel()
	facts := []launch.Fact{{Name: "workspace", Value: "adb-1.7.azuredatabricks.net"}, {Name: "pulled digest", Value: "sha256:1"}}
	b := newBook(nil)
	b.launched(&launch.Result{Target: "databricks", Profile: launch.Databricks, Verdict: verdict.Pass, Facts: facts})
	b.launchedBefore(launchedStatement(t, facts))
	if len(b.report.Launches) != 2 || len(b.report.Notes) != 0 {
		t.Fatalf("%+v, notes %v", b.report.Launches, b.report.Notes)
	}
	for _, l := range b.report.Launches {
		if !reflect.DeepEqual(l.Facts, []report.Fact{{Name: "workspace", Value: "adb-1.7.azuredatabricks.net"}, {Name: "pulled digest", Value: "sha256:1"}}) {
			t.Errorf("%+v", l.Facts)
		}
	}
}

// What a launch in a workspace came to is all in its statement: a test that drops one of them would be a field that is lost.
func TestWorkspaceEvidence(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	digest := "sha256:" + strings.Repeat("b", 64)
	result := &launch.Result{
		Target: "databricks", Profile: launch.Databricks, Runtime: "Databricks Runtime 16.4 LTS on m5d.large", Verdict: verdict.Fail, Started: began, Finished: began.Add(5 * time.Minute),
		Facts: []launch.Fact{
			{Name: "workspace", Value: "adb-1.7.azuredatabricks.net"},
			{Name: "runtime", Value: "16.4.x-scala2.12"},
			{Name: "node type", Value: "m5d.large"},
			{Name: "single node", Value: "is_single_node"},
			{Name: "cluster", Value: "1122-010203-abcdefgh"},
			{Name: "pulled digest", Value: digest},
		},
		Scripts: []launch.ScriptResult{{Name: "file:/opt/init.sh", Digest: digest, Elapsed: time.Second}, {Name: "s3://b/i.sh", Note: "not readable from here", ExitCode: 3}},
		Probes: []launch.ProbeResult{
			{Name: "python", Verdict: verdict.Pass, Elapsed: 2 * time.Second, Output: "what it printed"}, {Name: "sql", Verdict: verdict.Fail, Reason: "it does not"}, {Name: "never asked", Skipped: "the launch ended"},
		},
	}
	want := evidence.Launch{
		Target: "databricks", Profile: "databricks", Runtime: result.Runtime, Limits: map[string]string{}, Started: began, Finished: began.Add(5 * time.Minute),
		Scripts: []evidence.Script{{Name: "file:/opt/init.sh", Digest: digest, Elapsed: 1000}, {Name: "s3://b/i.sh", Note: "not readable from here", ExitCode: 3}},
		Probes:  []evidence.Probe{{Name: "python", Verdict: verdict.Pass, Elapsed: 2000}, {Name: "sql", Verdict: verdict.Fail, Reason: "it does not"}},
	}
	for _, f := range result.Facts {
		want.Facts = append(want.Facts, evidence.Fact(f))
	}
	got := asEvidence(result)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	mark := evidence.Mark{Verdict: verdict.Fail, Run: "run-1", Inputs: evidence.Inputs(map[string]string{"a": "b"}), At: began}
	statement, err := evidence.Launched(subject.Subject{Repository: "registry.example.com/dbr", Digest: digest}, got, mark)
	if err != nil {
		t.Fatal(err)
	}
	want.Limits = nil // there are none
	if back, _, err := evidence.ParseLaunched(statement); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("%v: read back %+v\nwant %+v", err, back, want)
	}
}

func launchedStatement(t *testing.T, facts []launch.Fact) evidence.Verified {
	t.Helper()
	l := evidence.Launch{Target: "databricks", Profile: "databricks", Started: time.Now(), Finished: time.Now()}
	for _, f := range facts {
		l.Facts = append(l.Facts, evidence.Fact(f))
	}
	statement, err := evidence.Launched(subject.Subject{Repository: "registry.example.com/dbr", Digest: "sha256:" + strings.Repeat("a", 64)}, l, evidence.Mark{
		Verdict: verdict.Pass, Run: "run-1", Inputs: evidence.Inputs(map[string]string{"a": "b"}), At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	summary, err := evidence.Summarize(statement)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Verified{Statement: statement, Summary: summary}
}

// Cleanup looks where the configuration launches; where that says nothing, where Databricks' own environment points to;
// and where neither does, nowhere.
func TestWorkspacesToCleanUp(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	set := func(name string) func(string) string {
		return func(asked string) string {
			if asked == name {
				return "x"
			}
			return ""
		}
	}
	in := func(profile, host string) config.Launch {
		return config.Launch{Target: "databricks", Databricks: &config.Databricks{Profile: profile, Host: host}}
	}
	for _, test := range []struct {
		launches []config.Launch
		with     CleanupOptions
		getenv   func(string) string
		want     []Workspace
	}{
		{nil, CleanupOptions{}, none, nil},
		{[]config.Launch{{Target: "sandbox"}}, CleanupOptions{}, none, nil},
		{nil, CleanupOptions{}, set("DATABRICKS_HOST"), []Workspace{{}}},
		{nil, CleanupOptions{}, set("DATABRICKS_CONFIG_PROFILE"), []Workspace{{}}},
		{[]config.Launch{in("", "https://a"), in("ci", ""), in("", "https://a/")}, CleanupOptions{}, set("DATABRICKS_HOST"), []Workspace{{"", "https://a"}, {"ci", ""}}},
		{[]config.Launch{in("", "https://a")}, CleanupOptions{Profile: "other"}, none, []Workspace{{"other", ""}}},
	} {
		if got := workspaces(&config.Config{Launch: test.launches}, test.with, test.getenv); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.with, got, test.want)
		}
	}
}

// One workspace that cannot be asked does not keep the others from being swept.
func TestCleanupAsksEveryWorkspace(t *testing.T) {
	t.Setenv("DATABRICKS_TOKEN", "dapi-for-this-test")
	t.Setenv("DATABRICKS_CONFIG_FILE", t.TempDir()+"/none")
	deleted := 0
	server := func(status int) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch {
			case r.URL.Path == "/api/2.1/clusters/list" && status == 200:
				fmt.Fprint(w, `{"clusters":[{"cluster_id":"1-a","state":"RUNNING","custom_tags":{"hallmark-run":"r","hallmark-deadline":"2020-01-01T00:00:00Z"}},{"cluster_id":"2-b","state":"RUNNING"}]}`)
			case r.URL.Path == "/api/2.1/clusters/permanent-delete":
				deleted++
				fmt.Fprint(w, `{}`)
			default:
				w.WriteHeader(403)
				fmt.Fprint(w, `{"error_code":"403","message":"Invalid access token."}`)
			}
		}))
		t.Cleanup(s.Close)
		return s
	}
	closed, open := server(403), server(200)
	cfg := &config.Config{Launch: []config.Launch{
		{Target: "databricks", Databricks: &config.Databricks{Host: closed.URL}}, {Target: "databricks", Databricks: &config.Databricks{Host: open.URL}},
	}}
	swept, err := Cleanup(context.Background(), cfg, CleanupOptions{}, func(string) string { return "" })
	if verdict.ExitCodeOf(err) != verdict.ExitUsage || !strings.Contains(fmt.Sprint(err), "does not accept who asks") {
		t.Errorf("%v", err)
	}
	if len(swept) != 1 || swept[0].ID != "1-a" || swept[0].Action != databricks.Removed || deleted != 1 {
		t.Errorf("%+v, %d deleted", swept, deleted)
	}
}

// What a launch has left behind stands among the notes, which every kind of report shows.
func TestWhatIsLeftBehindIsNoted(t *testing.T) {
	t.Parallel()
	const left = "The cluster c-1 could not be deleted: no answer. Run hallmark cleanup --run r-1."
	b := newBook(nil)
	b.launched(&launch.Result{Target: "databricks", Profile: launch.Databricks, Verdict: verdict.Pass, Notes: []string{left}})
	for name, write := range map[string]func(io.Writer) error{
		"text":     func(w io.Writer) error { return report.Board(w, b.report, 0, false) },
		"JSON":     func(w io.Writer) error { return report.JSON(w, b.report) },
		"HTML":     func(w io.Writer) error { return report.HTML(w, b.report) },
		"Markdown": func(w io.Writer) error { return report.Markdown(w, b.report) },
		"SARIF":    func(w io.Writer) error { return report.SARIF(w, b.report, "Dockerfile") },
	} {
		var text strings.Builder
		if err := write(&text); err != nil || !strings.Contains(strings.Join(strings.Fields(text.String()), " "), left) {
			t.Errorf("%s: %v\n%s", name, err, text.String())
		}
	}
}

func TestOutOfReach(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		image, host, env string
		refused          bool
	}{
		{"dbr", "https://adb-1.7.azuredatabricks.net", "", true},
		{"dbr", "", "https://adb-1.7.azuredatabricks.net", true},
		{"dbr", "", "adb-1.7.azuredatabricks.net", true},
		{"dbr", "http://127.0.0.1:8080", "", false},
		{"dbr", "", "localhost", false},
		{"dbr", "", "", false},
		{"registry.example.com/dbr", "https://adb-1.7.azuredatabricks.net", "", false},
	} {
		cfg := &config.Config{Image: test.image, Launch: []config.Launch{{Target: "sandbox"}, {Target: "databricks", Databricks: &config.Databricks{Host: test.host}}}}
		err := withinReach(cfg, func(string) string { return test.env })
		if (err != nil) != test.refused || err != nil && verdict.ExitCodeOf(err) != verdict.ExitUsage {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
