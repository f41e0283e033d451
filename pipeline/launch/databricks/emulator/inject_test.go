package emulator

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/compute"
)

// Every code that the client knows can be the end of a cluster, starting or running.
func TestEveryTerminationCode(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	var codes compute.TerminationReasonCode
	var kinds compute.TerminationReasonType
	all := codes.Values()
	if len(all) < 180 {
		t.Fatalf("the client knows only %d codes", len(all))
	}
	ids := make([]string, len(all))
	for i, code := range all {
		b.Next(Next{End: &End{
			Code: string(code), Type: string(kinds.Values()[i%len(kinds.Values())]), Parameters: map[string]string{messageParameter: "told to end", "instance_id": "i-1"}, Running: i%2 == 1,
		}})
		ids[i] = b.create(one())
	}
	for i, code := range all {
		c := b.reach(ids[i], "TERMINATED")
		r := c.TerminationReason
		if r.Code != code || r.Type != kinds.Values()[i%len(kinds.Values())] || r.Parameters["instance_id"] != "i-1" {
			t.Errorf("%s: ended as %+v", code, r)
		}
		types := strings.Join(b.types(ids[i]), " ")
		if failed := strings.Contains(types, "ADD_NODES_FAILED"); failed == (i%2 == 1) {
			t.Errorf("%s: events %s", code, types)
		}
		if ran := strings.Contains(types, "RUNNING"); ran != (i%2 == 1) || !strings.HasSuffix(types, "TERMINATING") {
			t.Errorf("%s: events %s", code, types)
		}
	}
}

func TestNextClusters(t *testing.T) {
	t.Parallel()
	second := Duration(300 * time.Millisecond)
	for _, test := range []struct {
		name string
		next Next
		see  func(t *testing.T, b *bench)
	}{
		{"hangs in PENDING", Next{Hang: true}, func(t *testing.T, b *bench) {
			id := b.create(one())
			time.Sleep(300 * time.Millisecond)
			b.reach(id, "PENDING")
			if _, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), id); err != nil {
				t.Error(err)
			}
		}},
		{"loses its driver", Next{LoseDriver: &second}, func(t *testing.T, b *bench) {
			id := b.create(one())
			b.reach(id, "RUNNING")
			if c := b.reach(id, "TERMINATED"); c.TerminationReason.Code != compute.TerminationReasonCodeDriverUnreachable || c.TerminationReason.Type != compute.TerminationReasonTypeServiceFault {
				t.Errorf("ended as %+v", c.TerminationReason)
			}
		}},
		{"is slow", Next{Slow: second}, func(t *testing.T, b *bench) {
			started := time.Now()
			b.reach(b.create(one()), "RUNNING")
			if took := time.Since(started); took < time.Duration(second) {
				t.Errorf("it took %s", took)
			}
		}},
		{"is slow with commands", Next{SlowCommands: second}, func(t *testing.T, b *bench) {
			id, in := b.running(compute.LanguagePython)
			started := time.Now()
			b.run(id, in.Id, compute.LanguagePython, "set a 1")
			if took := time.Since(started); took < time.Duration(second) {
				t.Errorf("it took %s", took)
			}
		}},
		{"is accepted and the connection breaks", Next{Drop: true}, func(t *testing.T, b *bench) {
			if _, err := b.clusters.Create(t.Context(), one()); err == nil {
				t.Error("there was an answer")
			}
			found, err := b.clusters.ListAll(t.Context(), compute.ListClustersRequest{})
			if err != nil || len(found) < 1 {
				t.Errorf("%d clusters, %v", len(found), err)
			}
		}},
		{"ends after events", Next{End: &End{Code: "SPARK_ERROR", Type: "SERVICE_FAULT", Running: true, Events: []Happening{{"SPARK_EXCEPTION", "py4j is missing"}}}}, func(t *testing.T, b *bench) {
			id := b.create(one())
			b.reach(id, "TERMINATED")
			got, err := b.clusters.EventsAll(t.Context(), compute.GetEvents{ClusterId: id, EventTypes: []compute.EventType{compute.EventTypeSparkException}})
			if err != nil || len(got) != 1 || got[0].Details.DriverStateMessage != "py4j is missing" {
				t.Errorf("%+v, %v", got, err)
			}
		}},
		{"holds for several", Next{End: &End{Code: "CLOUD_PROVIDER_LAUNCH_FAILURE", Type: "CLOUD_FAILURE"}, Count: 2}, func(t *testing.T, b *bench) {
			for _, want := range []string{"TERMINATED", "TERMINATED", "RUNNING"} {
				b.reach(b.create(one()), want)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := open(t, Options{})
			if status, answer := b.post(adminPath+"next", test.next); status != 200 {
				t.Fatalf("%d %v", status, answer)
			}
			test.see(t, b)
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const get = "/api/2.1/clusters/get"
	for _, test := range []struct {
		name  string
		fault Fault
		least time.Duration // that one get takes
		want  error         // nil: it works in the end
		text  string
	}{
		{"a storm of 429", Fault{Path: get, Status: 429, RetryAfter: 1, Count: 2}, 2 * time.Second, nil, ""},
		{"503s", Fault{Path: get, Status: 503, Count: 2}, 0, nil, ""},
		{"a page of the gateway's", Fault{Path: get, Status: 503, HTML: true}, 0, nil, ""},
		{"500", Fault{Path: get, Status: 500}, 0, apierr.ErrInternalError, "Internal Server Error"},
		{"refused", Fault{Path: get, Status: 403, Message: "not you"}, 0, apierr.ErrPermissionDenied, "not you"},
		{"the API of old", Fault{Path: "/api/*/clusters/get", Status: 404}, 0, apierr.ErrNotFound, ""},
		{"slow", Fault{Path: get, Delay: Duration(400 * time.Millisecond)}, 400 * time.Millisecond, nil, ""},
		{"dropped before", Fault{Path: get, Drop: "before"}, 0, nil, ""},
		{"another path", Fault{Path: "/api/2.1/clusters/list", Status: 500, Count: -1}, 0, nil, ""},
		{"another method", Fault{Method: "POST", Status: 500, Count: -1}, 0, nil, ""},
		{"later", Fault{Path: get, Status: 500, Skip: 1}, 0, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := open(t, Options{})
			id := b.create(one())
			if status, answer := b.post(adminPath+"faults", test.fault); status != 200 {
				t.Fatalf("%d %v", status, answer)
			}
			started := time.Now()
			_, err := b.clusters.GetByClusterId(t.Context(), id)
			if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.text) {
				if test.fault.Drop == "" || err == nil {
					t.Errorf("got %v", err)
				}
			}
			if took := time.Since(started); took < test.least {
				t.Errorf("it took %s", took)
			}
			if test.fault.Skip > 0 {
				if _, err := b.clusters.GetByClusterId(t.Context(), id); !errors.Is(err, apierr.ErrInternalError) {
					t.Errorf("the second time: %v", err)
				}
			}
		})
	}
}

// A request that is dropped after it was served has done its work.
func TestDroppedAnswer(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id := b.create(one())
	b.reach(id, "RUNNING")
	if err := b.Inject(Fault{Path: "/api/2.1/clusters/delete", Drop: "after"}); err != nil {
		t.Fatal(err)
	}
	_, _ = b.clusters.Delete(t.Context(), compute.DeleteCluster{ClusterId: id})
	b.reach(id, "TERMINATED")
}

func TestOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	for path, body := range map[string]string{
		"next": `{"end": {}}`, "faults": `{"status": 200}`,
	} {
		if status, answer := b.post(adminPath+path, body); status != http.StatusBadRequest {
			t.Errorf("%s %s: %d %v", path, body, status, answer)
		}
	}
	for _, body := range []string{`{"drop": "sometimes"}`, `{"path": "["}`, `{"delay": 3}`, `{"delay": "-1s"}`, `{"staus": 500}`} {
		if status, answer := b.post(adminPath+"faults", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
	if status, _ := b.post(adminPath+"faults", Fault{Status: 500, Count: -1}); status != 200 {
		t.Fatal(status)
	}
	if status, _ := b.send("GET", "/api/2.1/clusters/list", ""); status != 500 {
		t.Errorf("the fault does not hold: %d", status)
	}
	if status, _ := b.send("DELETE", adminPath+"faults", ""); status != 200 {
		t.Error("the orders are not taken in")
	}
	if status, _ := b.send("GET", "/api/2.1/clusters/list", ""); status != 200 {
		t.Errorf("the fault holds still: %d", status)
	}
	if status, answer := b.send("GET", adminPath+"state", ""); status != 200 || answer["running"] != 0.0 {
		t.Errorf("%d %v", status, answer)
	}
}
