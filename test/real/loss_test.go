//go:build real

package real

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"
)

// lossYAML is a launch of the tiny image in a workspace, whose clusters are states and events only.
const lossYAML = `image: tiny
build: {source_date_epoch: 2026-01-01}
check: {packs: [base], params: {base: {allow_no_os: true}}}
launch:
  - target: databricks
    timeout: 90s
    databricks: {runtime: "16.4", node_type: smallest, retries: 1}
promote: {tags: [golden]}
`

// phase is a moment of a launch in a workspace: the request that it begins with.
type phase struct {
	name    string
	request string
	skip    int
	carried bool           // the request arrives there, its answer does not come back
	next    map[string]any // what becomes of the cluster
	probe   string
	left    bool // a cluster is left at that moment
	passed  bool // the launch had passed before the network was lost
}

var phases = []phase{
	{name: "preflight", request: "GET /api/2.1/clusters/spark-versions"},
	{name: "a creation that never arrives", request: "POST /api/2.1/clusters/create"},
	{name: "between a creation and its answer", request: "POST /api/2.1/clusters/create", carried: true, left: true},
	{name: "PENDING", request: "GET /api/2.1/clusters/get", skip: 1, carried: true, next: map[string]any{"hang": true}, left: true},
	{name: "RUNNING, before the first probe", request: "POST /api/1.2/contexts/create", probe: "python: {code: print(1)}", left: true},
	{name: "amid a probe", request: "GET /api/1.2/commands/status", skip: 1, carried: true, next: map[string]any{"slow_commands": "5m"}, probe: "python: {code: print(1)}", left: true},
	{name: "before the deletion", request: "POST /api/2.1/clusters/permanent-delete", left: true, passed: true},
	{name: "between the deletion and its answer", request: "POST /api/2.1/clusters/permanent-delete", carried: true, passed: true},
}

// loss is a home, a workspace, and the network between them.
type loss struct {
	home
	workspace *workspace
	link      *link
	project   string
	stranger  string // a cluster that is not Hallmark's
}

func newLoss(t *testing.T) *loss {
	t.Helper()
	l := &loss{home: newHome(t), project: tiny{}.project(t)}
	if err := os.WriteFile(filepath.Join(l.project, "hallmark.yaml"), []byte(lossYAML), 0o644); err != nil {
		t.Fatal(err)
	}
	l.workspace = emulate(t, newHome(t), "--no-launch") // a home of its own: nothing of the run's is to be left in the other
	l.link = newLink(t, strings.TrimPrefix(l.workspace.host, "http://"))
	made, err := l.workspace.clusters.Create(t.Context(), compute.CreateCluster{
		ClusterName: "somebody's", SparkVersion: "16.4.x-scala2.12", NodeTypeId: "m5d.large", NumWorkers: 1, AutoterminationMinutes: 60,
		CustomTags: map[string]string{"team": "hallmark", "hallmark": "run"},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.stranger = made.ClusterId
	l.env = append(l.env, "DATABRICKS_HOST=http://"+l.link.addr, "DATABRICKS_TOKEN="+l.workspace.token, "DATABRICKS_CONFIG_FILE="+os.DevNull, "DATABRICKS_AUTH_TYPE=pat")
	return l
}

// ours are the clusters in the workspace besides the stranger's, and the runs that they are of.
func (l *loss) ours(t *testing.T) (runs map[string]string) {
	t.Helper()
	all, err := l.workspace.clusters.ListAll(t.Context(), compute.ListClustersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	runs = map[string]string{}
	there := false
	for _, c := range all {
		if c.ClusterId == l.stranger {
			there = c.State == compute.StateRunning || c.State == compute.StatePending
			continue
		}
		runs[c.ClusterId] = c.CustomTags["hallmark-run"]
	}
	if !there {
		t.Error("the stranger's cluster does not stand any more")
	}
	return runs
}

// launch runs the project until the phase, where something happens to it or to the network.
func (l *loss) launch(t *testing.T, p phase, n int, happens func(*call), sets ...string) outcome {
	t.Helper()
	l.workspace.order(t, http.MethodDelete, "faults", nil, nil)
	if p.next != nil {
		l.workspace.order(t, http.MethodPost, "next", p.next, nil)
	}
	args := []string{"run", l.project, "--set", fmt.Sprintf("launch[0].databricks.tags.case=%d", n)} // another launch than the one before
	if p.probe != "" {
		args = append(args, "--set", "launch[0].probes=[{"+p.probe+"}]")
	}
	for _, set := range sets {
		args = append(args, "--set", set)
	}
	begun := make(chan *call, 1)
	l.link.at(p.request, p.skip, p.carried, func() { happens(<-begun) })
	c := l.start(t, nil, args...)
	begun <- c
	return c.end(t)
}

// cleanup ends what a run has left, and nothing else; without a run, what is past its deadline.
func (l *loss) cleanup(t *testing.T, run string) {
	t.Helper()
	before := l.ours(t)
	args := []string{"cleanup", "--config", filepath.Join(l.project, "hallmark.yaml")}
	if run != "" {
		args = append(args, "--run", run)
	}
	o := l.call(t, args...).want(t, 0)
	var told struct {
		Clusters []struct {
			ID, Action string
		} `json:"clusters"`
	}
	if err := json.Unmarshal(o.stdout, &told); err != nil {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	ended := map[string]string{}
	for _, c := range told.Clusters {
		if c.Action == "ended" {
			ended[c.ID] = before[c.ID]
		}
	}
	if !maps.Equal(ended, before) {
		t.Errorf("cleanup ended %v of %v", ended, before)
	}
	if left := l.ours(t); len(left) > 0 {
		t.Errorf("after the cleanup there are %v", left)
	}
}

// anyOf is the run that the clusters are of.
func anyOf(clusters map[string]string) string {
	runs := slices.Compact(slices.Sorted(maps.Values(clusters)))
	if len(runs) != 1 {
		return ""
	}
	return runs[0]
}

// A run that is killed leaves at most one cluster, which the cleanup ends.
func TestKilledInAWorkspace(t *testing.T) {
	t.Parallel()
	l := newLoss(t)
	for n, p := range phases {
		t.Run(p.name, func(t *testing.T) {
			if o := l.launch(t, p, n, func(c *call) { c.signal(syscall.SIGKILL) }); o.code != -1 {
				t.Fatalf("it was not killed: %s", o)
			}
			nothingLeft(t, l.home)
			ours := l.ours(t)
			if want := map[bool]int{true: 1}[p.left]; len(ours) != want {
				t.Errorf("there are %v, want %d", ours, want)
			}
			l.cleanup(t, anyOf(ours))
		})
	}
	t.Run("nobody knows the run", func(t *testing.T) {
		p := phases[3]
		lasting := 5 * time.Second
		if o := l.launch(t, p, len(phases), func(c *call) { c.signal(syscall.SIGKILL) }, "launch[0].timeout="+lasting.String()); o.code != -1 {
			t.Fatalf("it was not killed: %s", o)
		}
		time.Sleep(lasting)
		l.cleanup(t, "")
	})
}

// A run that is interrupted deletes its cluster by itself, also where an answer got lost: nothing is left for the cleanup.
func TestInterruptedInAWorkspace(t *testing.T) {
	t.Parallel()
	l := newLoss(t)
	for n, p := range phases {
		t.Run(p.name, func(t *testing.T) {
			o := l.launch(t, p, n, func(c *call) { c.signal(syscall.SIGINT) }).want(t, 130)
			t.Logf("ended %s after the signal", o.lasting.Round(10*time.Millisecond))
			if ours := l.ours(t); len(ours) > 0 {
				t.Errorf("there are %v", ours)
			}
			nothingLeft(t, l.home)
			l.cleanup(t, o.report.RunID)
		})
	}
}

// withoutNetwork is how long a run may go on that has lost the network: what the launch has left of its 90 seconds, what it
// takes to read the logs, and 90 seconds in which the deletion is tried.
const withoutNetwork = 4 * time.Minute

// A run that loses the network, for good, ends by itself, blames nobody, and says what it leaves. The phases mostly wait:
// all are gone through at the same time, each with a workspace of its own.
func TestNetworkLostInAWorkspace(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	defer all.Wait()
	for _, p := range phases {
		all.Go(func() {
			t.Run(p.name+", refused", func(t *testing.T) { newLoss(t).networkLost(t, p, (*link).refuse) })
		})
		if p.request == phases[0].request || p.carried { // whether it arrives makes no difference where nobody refuses
			all.Go(func() {
				t.Run(p.name+", silent", func(t *testing.T) { newLoss(t).networkLost(t, p, (*link).hush) })
			})
		}
	}
}

func (l *loss) networkLost(t *testing.T, p phase, cut func(*link)) {
	var lost time.Time
	o := l.launch(t, p, 0, func(*call) { lost = time.Now(); cut(l.link) })
	if lost.IsZero() || time.Since(lost) > withoutNetwork {
		t.Errorf("lost at %s: %s", lost, o)
	}
	t.Logf("ended %s after the loss", time.Since(lost).Round(time.Second))
	l.link.back(t)
	l.blamesNobody(t, p, o)
	l.cleanup(t, o.report.RunID)
}

// blamesNobody fails the test unless the run's verdict and its notes are those of a lost network.
func (l *loss) blamesNobody(t *testing.T, p phase, o outcome) {
	t.Helper()
	if p.passed {
		o.want(t, 0)
	} else {
		inconclusive(t, o, "launch")
		if reason := o.report.Launches[0].Reason; !strings.Contains(reason, "answer") {
			t.Errorf("the reason does not say that nobody answers: %s", reason)
		}
	}
	ours := l.ours(t)
	if want := map[bool]int{true: 1}[p.left]; len(ours) != want {
		t.Errorf("there are %v, want %d", ours, want)
	}
	notes := strings.Join(o.report.Notes, "\n")
	if told := strings.Contains(notes, "hallmark cleanup --run "+o.report.RunID); p.left && !told {
		t.Errorf("no note tells what is left: %s", notes)
	} else {
		t.Log(notes)
	}
	for id := range ours {
		if o.report.Launches[0].ID == id && !strings.Contains(notes, id) {
			t.Errorf("no note names the cluster %s: %s", id, notes)
		}
	}
}
