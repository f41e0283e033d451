package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/compute"
)

// bench is an emulator with the official client on it.
type bench struct {
	*Server
	t        *testing.T
	url      string
	machine  *fakeMachine
	config   *config.Config
	clusters *compute.ClustersAPI
	commands *compute.CommandExecutionAPI
}

func open(t *testing.T, options Options) *bench {
	t.Helper()
	b := &bench{t: t}
	if options.Machine == nil {
		b.machine = &fakeMachine{}
		options.Machine = b.machine
	} else if fake, ok := options.Machine.(*fakeMachine); ok {
		b.machine = fake
	}
	server, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	b.Server = server
	web := httptest.NewServer(server)
	b.url = web.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
		if b.machine != nil {
			if nodes, stopped, _ := b.machine.counts(); nodes != stopped {
				t.Errorf("%d nodes were started and %d stopped", nodes, stopped)
			}
		}
	})
	b.use(&config.Config{Host: web.URL, Token: server.Token(), AuthType: "pat"})
	return b
}

func (b *bench) use(c *config.Config) {
	b.t.Helper()
	c.ConfigFile = os.DevNull
	c.RetryTimeoutSeconds, c.HTTPTimeoutSeconds, c.RateLimitPerSecond = 20, 20, 1000
	api, err := client.New(c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.config, b.clusters, b.commands = c, compute.NewClusters(api), compute.NewCommandExecution(api)
}

func (b *bench) api() *client.DatabricksClient {
	b.t.Helper()
	api, err := client.New(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	return api
}

// post sends JSON as a script would, and returns the status and the answer.
func (b *bench) post(path string, body any) (int, map[string]any) {
	return b.send(http.MethodPost, path, body)
}

func (b *bench) send(method, path string, body any) (int, map[string]any) {
	b.t.Helper()
	text, ok := body.(string)
	if !ok {
		encoded, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		text = string(encoded)
	}
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+b.Token())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	read, _ := io.ReadAll(response.Body)
	if err := json.NewDecoder(bytes.NewReader(read)).Decode(&answer); err != nil {
		b.t.Fatalf("%s %s: %v: %s", method, path, err, read)
	}
	return response.StatusCode, answer
}

// one is a good single node, the newer way.
func one() compute.CreateCluster {
	return compute.CreateCluster{
		ClusterName: "one", SparkVersion: "16.4.x-scala2.12", NodeTypeId: "m5d.large", Kind: compute.KindClassicPreview, IsSingleNode: true,
		DockerImage: &compute.DockerImage{Url: "registry.example.com/spark:1"}, AutoterminationMinutes: 30, DataSecurityMode: compute.DataSecurityModeSingleUser,
	}
}

// older is one made the older way.
func older() compute.CreateCluster {
	return compute.CreateCluster{
		ClusterName: "older", SparkVersion: "16.4.x-scala2.12", NodeTypeId: "m5d.large", NumWorkers: 0, ForceSendFields: []string{"NumWorkers"},
		SparkConf:   map[string]string{profileKey: singleNode, masterKey: "local[*]"},
		CustomTags:  map[string]string{resourceTag: resourceNode},
		DockerImage: &compute.DockerImage{Url: "registry.example.com/spark:1"},
	}
}

func (b *bench) create(c compute.CreateCluster) string {
	b.t.Helper()
	wait, err := b.clusters.Create(b.t.Context(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	return wait.ClusterId
}

// reach waits until the cluster is in a state.
func (b *bench) reach(id, state string) *compute.ClusterDetails {
	b.t.Helper()
	for range 400 {
		c, err := b.clusters.GetByClusterId(b.t.Context(), id)
		if err != nil {
			b.t.Fatal(err)
		}
		if string(c.State) == state {
			return c
		}
		time.Sleep(25 * time.Millisecond)
	}
	c, _ := b.clusters.GetByClusterId(b.t.Context(), id)
	b.t.Fatalf("%s does not become %s: %+v", id, state, c)
	return nil
}

// types are the cluster's events, oldest first.
func (b *bench) types(id string) (all []string) {
	b.t.Helper()
	events, err := b.clusters.EventsAll(b.t.Context(), compute.GetEvents{ClusterId: id, Order: compute.GetEventsOrderAsc})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range events {
		all = append(all, string(e.Type))
	}
	return all
}

func TestBothSingleNodes(t *testing.T) {
	t.Parallel()
	for _, c := range []compute.CreateCluster{one(), older()} {
		t.Run(c.ClusterName, func(t *testing.T) {
			t.Parallel()
			b := open(t, Options{Pace: 100 * time.Millisecond})
			wait, err := b.clusters.Create(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			first, err := b.clusters.GetByClusterId(t.Context(), wait.ClusterId)
			if err != nil || first.State != compute.StatePending || first.StateMessage == "" {
				t.Errorf("at first %+v, %v", first, err)
			}
			d, err := wait.Get()
			if err != nil {
				t.Fatal(err)
			}
			if d.SparkConf[profileKey] != singleNode || d.CustomTags[resourceTag] != resourceNode || d.NumWorkers != 0 || d.Driver == nil || d.Spec == nil || d.StartTime == 0 ||
				d.DefaultTags["ClusterName"] != c.ClusterName || d.CreatorUserName != DefaultUser || d.DriverNodeTypeId != "m5d.large" {
				t.Errorf("running as %+v", d)
			}
			if launch := b.machine.last(t); launch.Image != "registry.example.com/spark:1" || launch.Username != "" || launch.Conf[masterKey] != "local[*]" {
				t.Errorf("launched %+v", launch)
			}
			if got := b.types(d.ClusterId); !slices.Equal(got, []string{"CREATING", "RUNNING", "DRIVER_HEALTHY"}) {
				t.Errorf("events %v", got)
			}
			ended, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), d.ClusterId)
			if err != nil || ended.TerminationReason.Code != compute.TerminationReasonCodeUserRequest || ended.TerminationReason.Parameters["username"] != DefaultUser || ended.TerminatedTime == 0 {
				t.Errorf("ended as %+v, %v", ended, err)
			}
			if got := b.types(d.ClusterId); got[len(got)-1] != "TERMINATING" {
				t.Errorf("events %v", got)
			}
			if err := b.clusters.PermanentDeleteByClusterId(t.Context(), d.ClusterId); err != nil {
				t.Fatal(err)
			}
			_, err = b.clusters.GetByClusterId(t.Context(), d.ClusterId)
			if !errors.Is(err, apierr.ErrResourceDoesNotExist) {
				t.Errorf("after its deletion: %v", err)
			}
		})
	}
}

func TestPermanentDeletionOfARunningCluster(t *testing.T) {
	t.Parallel()
	b := open(t, Options{Pace: 50 * time.Millisecond})
	running, starting := b.create(one()), ""
	b.reach(running, "RUNNING")
	starting = b.create(one())
	for _, id := range []string{running, starting} {
		if err := b.clusters.PermanentDeleteByClusterId(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.clusters.PermanentDeleteByClusterId(t.Context(), running); err == nil {
		t.Error("it can be deleted twice")
	}
	for range 100 {
		if b.State().Running == 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if state := b.State(); state.Running != 0 || state.Deleted != 2 || len(state.Clusters) != 0 {
		t.Errorf("left %+v", state)
	}
}

func TestRestartEditStart(t *testing.T) {
	t.Parallel()
	b := open(t, Options{Pace: 30 * time.Millisecond})
	id := b.create(one())
	b.reach(id, "RUNNING")
	if _, err := b.clusters.RestartAndWait(t.Context(), compute.RestartCluster{ClusterId: id}); err != nil {
		t.Fatal(err)
	}
	if got := b.types(id); !slices.Equal(got, []string{"CREATING", "RUNNING", "DRIVER_HEALTHY", "RESTARTING", "STARTING", "RUNNING", "DRIVER_HEALTHY"}) {
		t.Errorf("events %v", got)
	}
	if _, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := b.clusters.RestartAndWait(t.Context(), compute.RestartCluster{ClusterId: id}); !errors.Is(err, apierr.ErrInvalidState) {
		t.Errorf("restarting what is terminated: %v", err)
	}
	edit := compute.EditCluster{
		ClusterId: id, ClusterName: "edited", SparkVersion: "15.4.x-scala2.12", NodeTypeId: "m5d.large", Kind: compute.KindClassicPreview, IsSingleNode: true,
		DockerImage: &compute.DockerImage{Url: "registry.example.com/spark:2"},
	}
	if _, err := b.clusters.Edit(t.Context(), edit); err != nil {
		t.Fatal(err)
	}
	edit.SparkVersion = "1.0"
	if _, err := b.clusters.Edit(t.Context(), edit); !errors.Is(err, apierr.ErrInvalidParameterValue) {
		t.Errorf("a wrong edit: %v", err)
	}
	d, err := b.clusters.StartByClusterIdAndWait(t.Context(), id)
	if err != nil || d.ClusterName != "edited" || b.machine.last(t).Image != "registry.example.com/spark:2" {
		t.Errorf("started as %+v, %v", d, err)
	}
	if _, err := b.clusters.StartByClusterIdAndWait(t.Context(), id); !errors.Is(err, apierr.ErrInvalidState) {
		t.Errorf("starting what runs: %v", err)
	}
	if err := b.clusters.PinByClusterId(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := b.clusters.PermanentDeleteByClusterId(t.Context(), id); err == nil || !strings.Contains(err.Error(), "pinned") {
		t.Errorf("deleting what is pinned: %v", err)
	}
}

func TestAutotermination(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	b.inMinute = 30 * time.Millisecond
	id := b.create(one())
	c := b.reach(id, "TERMINATED")
	if c.TerminationReason.Code != compute.TerminationReasonCodeInactivity || c.TerminationReason.Parameters["inactivity_duration_min"] != "30" || !strings.Contains(c.StateMessage, "Inactive") {
		t.Errorf("got %+v: %s", c.TerminationReason, c.StateMessage)
	}
}

func TestListAndItsPages(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	var ids []string
	for i := range 25 {
		c := one()
		c.ClusterName = fmt.Sprintf("c%02d", (i*7)%25)
		ids = append(ids, b.create(c))
	}
	for _, id := range ids {
		b.reach(id, "RUNNING")
	}
	if _, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), ids[3]); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		asked compute.ListClustersRequest
		want  int
		first string
	}{
		{"all", compute.ListClustersRequest{}, 25, ""},
		{"small pages", compute.ListClustersRequest{PageSize: 4}, 25, ""},
		{"running", compute.ListClustersRequest{FilterBy: &compute.ListClustersFilterBy{ClusterStates: []compute.State{compute.StateRunning}}}, 24, ""},
		{"two states", compute.ListClustersRequest{PageSize: 10, FilterBy: &compute.ListClustersFilterBy{ClusterStates: []compute.State{compute.StateRunning, compute.StateTerminated}}}, 25, ""},
		{"of jobs", compute.ListClustersRequest{FilterBy: &compute.ListClustersFilterBy{ClusterSources: []compute.ClusterSource{compute.ClusterSourceJob}}}, 0, ""},
		{"pinned", compute.ListClustersRequest{FilterBy: &compute.ListClustersFilterBy{IsPinned: true}}, 0, ""},
		{"by name", compute.ListClustersRequest{PageSize: 10, SortBy: &compute.ListClustersSortBy{Field: compute.ListClustersSortByFieldClusterName, Direction: compute.ListClustersSortByDirectionAsc}}, 25, "c00"},
	} {
		got, err := b.clusters.ListAll(t.Context(), test.asked)
		if err != nil || len(got) != test.want || test.first != "" && got[0].ClusterName != test.first {
			t.Errorf("%s: %d clusters, %v", test.name, len(got), err)
		}
	}
	if _, err := b.clusters.ListAll(t.Context(), compute.ListClustersRequest{PageSize: 101}); !errors.Is(err, apierr.ErrInvalidParameterValue) {
		t.Errorf("too large a page: %v", err)
	}
	if _, err := b.clusters.ListAll(t.Context(), compute.ListClustersRequest{PageToken: "made up"}); !errors.Is(err, apierr.ErrInvalidParameterValue) {
		t.Errorf("a token of one's own: %v", err)
	}
}

func TestEventsAndTheirPages(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id := b.create(one())
	b.reach(id, "RUNNING")
	for range 60 {
		_ = b.clusters.PinByClusterId(t.Context(), id)
	}
	for _, test := range []struct {
		name  string
		asked compute.GetEvents
		want  int
	}{
		{"all", compute.GetEvents{}, 63},
		{"small pages", compute.GetEvents{Order: compute.GetEventsOrderAsc, PageSize: 7}, 63},
		{"one kind", compute.GetEvents{EventTypes: []compute.EventType{compute.EventTypePinned}}, 60},
		{"two kinds", compute.GetEvents{EventTypes: []compute.EventType{compute.EventTypeCreating, compute.EventTypeRunning}}, 2},
		{"later", compute.GetEvents{StartTime: time.Now().Add(time.Hour).UnixMilli()}, 0},
		{"limited", compute.GetEvents{Limit: 20}, 20},
	} {
		test.asked.ClusterId = id
		got, err := b.clusters.EventsAll(t.Context(), test.asked)
		if err != nil || len(got) != test.want {
			t.Errorf("%s: %d events, %v", test.name, len(got), err)
		}
		seen := map[string]bool{}
		for i, e := range got {
			if i > 0 && (test.asked.Order == compute.GetEventsOrderAsc) != (got[i-1].Timestamp <= e.Timestamp) && got[i-1].Timestamp != e.Timestamp {
				t.Errorf("%s: out of order", test.name)
			}
			seen[string(e.Type)] = true
		}
		if test.name == "all" && !seen["CREATING"] {
			t.Errorf("%s: the first event is not among %v", test.name, seen)
		}
	}
	status, answer := b.post("/api/2.1/clusters/events", map[string]any{"cluster_id": id, "limit": 10})
	if next, _ := answer["next_page"].(map[string]any); status != 200 || answer["total_count"] != 63.0 || next["offset"] != 10.0 || answer["next_page_token"] == "" {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := b.post("/api/2.1/clusters/events", map[string]any{"cluster_id": id, "limit": 501}); status != 400 {
		t.Errorf("%d %v", status, answer)
	}
}

func TestCloseTakesEverythingDown(t *testing.T) {
	t.Parallel()
	m := &fakeMachine{}
	b := open(t, Options{Machine: m})
	id := b.create(one())
	b.reach(id, "RUNNING")
	m.hang = true
	b.create(one())
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if nodes, stopped, _ := m.counts(); nodes != 1 || stopped != 1 {
		t.Errorf("%d nodes, %d stopped", nodes, stopped)
	}
	if status, answer := b.post("/api/2.1/clusters/create", map[string]any{}); status != 503 {
		t.Errorf("created after the end: %d %v", status, answer)
	}
}
