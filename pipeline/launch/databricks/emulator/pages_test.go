package emulator

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/compute"
)

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
