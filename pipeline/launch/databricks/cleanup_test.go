package databricks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// stand puts a cluster into the workspace.
func (s *server) stand(id, state string, tags map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clusters[id] = &madeCluster{id: id, body: createBody{ClusterName: "name of " + id, CustomTags: tags}, states: []string{state}}
	s.order = append(s.order, id)
}

func TestCleanup(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	for _, test := range []struct {
		name  string
		sweep Sweep
		want  string // id and action of each
		left  []string
	}{
		{"past their deadline", Sweep{}, "hour:ended minute:ended ended:ended running:kept odd:kept", []string{"foreign", "none", "odd", "running"}},
		{"only told", Sweep{DryRun: true}, "hour:would be ended minute:would be ended ended:would be ended running:kept odd:kept", []string{"ended", "foreign", "hour", "minute", "none", "odd", "running"}},
		{"long past", Sweep{Older: 30 * time.Minute}, "hour:ended minute:kept ended:ended running:kept odd:kept", []string{"foreign", "minute", "none", "odd", "running"}},
		{"of one run", Sweep{Run: "run-3"}, "hour:kept minute:kept ended:kept running:ended odd:kept", []string{"ended", "foreign", "hour", "minute", "none", "odd"}},
		{"without a deadline that can be read", Sweep{Run: "run-4"}, "hour:kept minute:kept ended:kept running:kept odd:ended", []string{"ended", "foreign", "hour", "minute", "none", "running"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.stand("hour", "RUNNING", map[string]string{TagRun: "run-1", TagOwner: "ci@host", TagDeadline: at(-time.Hour)})
			s.stand("foreign", "RUNNING", map[string]string{"owner": "somebody", TagDeadline: at(-time.Hour)})
			s.stand("minute", "PENDING", map[string]string{TagRun: "run-2", TagDeadline: at(-time.Minute)})
			s.stand("none", "RUNNING", nil)
			s.stand("ended", "TERMINATED", map[string]string{TagRun: "run-2", TagDeadline: at(-time.Hour)})
			s.stand("running", "RUNNING", map[string]string{TagRun: "run-3", TagDeadline: at(time.Hour)})
			s.stand("odd", "RUNNING", map[string]string{TagRun: "run-4", TagDeadline: "soon"})
			test.sweep.Host, test.sweep.Now = s.http.URL, now
			swept, err := Cleanup(t.Context(), test.sweep)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range swept {
				got = append(got, c.ID+":"+string(c.Action))
				if c.Why == "" || c.Run == "" || c.Workspace == "" {
					t.Errorf("%+v", c)
				}
			}
			if fmt.Sprint(got) != "["+test.want+"]" {
				t.Errorf("%v, want %s", got, test.want)
			}
			left := s.left()
			slices.Sort(left)
			if !slices.Equal(left, test.left) {
				t.Errorf("left are %v, want %v", left, test.left)
			}
		})
	}
}

// One cluster that cannot be ended does not keep the others.
func TestCleanupGoesOn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	past := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	s.stand("a", "RUNNING", map[string]string{TagRun: "run-1", TagDeadline: past})
	s.stand("b", "RUNNING", map[string]string{TagRun: "run-2", TagDeadline: past})
	s.script(removal, says(403, "PERMISSION_DENIED", "not yours"))
	s.script("POST /api/2.1/clusters/delete", says(403, "PERMISSION_DENIED", "not yours"))
	swept, err := Cleanup(t.Context(), Sweep{Host: s.http.URL})
	if err != nil || len(swept) != 2 || swept[0].Action != NotRemoved || !strings.Contains(swept[0].Why, "not yours") || swept[1].Action != Removed {
		t.Errorf("%v, %+v", err, swept)
	}
}

func TestCleanupCannotAsk(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.script("GET /api/2.1/clusters/list", says(401, "UNAUTHENTICATED", "who are you"))
	if _, err := Cleanup(t.Context(), Sweep{Host: s.http.URL}); !errors.Is(err, verdict.ErrUsage) {
		t.Errorf("not logged in: %v", err)
	}
	quick := func(ctx context.Context, _ time.Duration) error { return pause.For(ctx, 0) }
	if _, err := Cleanup(t.Context(), Sweep{Host: "http://127.0.0.1:1", wait: quick}); verdict.ExitCodeOf(err) != verdict.ExitInconclusive {
		t.Errorf("no answer: %v", err)
	}
}
