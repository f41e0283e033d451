package emulator

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/compute"
)

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
			if launch := b.machine.last(t); launch.Image != "registry.example.com/spark:1" || launch.Username != "" || !strings.HasPrefix(launch.Conf[masterKey], "local[*") {
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
	again, err := b.clusters.Restart(t.Context(), compute.RestartCluster{ClusterId: id})
	if err == nil {
		_, err = again.Get()
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := b.types(id); !slices.Equal(got, []string{"CREATING", "RUNNING", "DRIVER_HEALTHY", "RESTARTING", "STARTING", "RUNNING", "DRIVER_HEALTHY"}) {
		t.Errorf("events %v", got)
	}
	if _, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := b.clusters.Restart(t.Context(), compute.RestartCluster{ClusterId: id}); !errors.Is(err, apierr.ErrInvalidState) {
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
