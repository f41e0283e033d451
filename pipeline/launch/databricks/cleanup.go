package databricks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

// Sweep says which clusters Cleanup ends.
type Sweep struct {
	Profile   string            // of .databrickscfg; empty: the environment's
	Host      string            // empty: the environment's or the profile's
	Run       string            // only clusters of this run, whatever their deadline; empty: of all runs, past their deadline
	Older     time.Duration     // how long past its deadline a cluster must be
	DryRun    bool              // only tell
	Now       time.Time         // zero: now
	Transport http.RoundTripper // nil: the usual one

	wait func(context.Context, time.Duration) error
}

// Action is what Cleanup did with a cluster.
type Action string

const (
	Removed     Action = "ended"
	WouldRemove Action = "would be ended"
	Kept        Action = "kept"
	NotRemoved  Action = "not ended"
)

// Swept is one cluster of Hallmark's that was found.
type Swept struct {
	Workspace string    `json:"workspace"`
	ID        string    `json:"id"`
	Name      string    `json:"name,omitempty"`
	Run       string    `json:"run"`
	Owner     string    `json:"owner,omitempty"`
	State     string    `json:"state"`
	Deadline  time.Time `json:"deadline,omitzero"`
	Action    Action    `json:"action"`
	Why       string    `json:"why"`
}

// Cleanup deletes for good what launches have left behind: clusters that carry Hallmark's tag and are past their
// deadline, or are of one run. It touches nothing else. The error is for a workspace that cannot be asked; one cluster
// that cannot be deleted is told in its place, and the others are looked at all the same.
func Cleanup(ctx context.Context, sweep Sweep) ([]Swept, error) {
	if sweep.Now.IsZero() {
		sweep.Now = time.Now()
	}
	if sweep.wait == nil {
		sweep.wait = pause.For
	}
	space, err := connect(ctx, Options{Settings: Settings{Profile: sweep.Profile, Host: sweep.Host}, Transport: sweep.Transport, wait: sweep.wait})
	if err != nil {
		return nil, unwrapped(err)
	}
	ours, err := space.tagged(ctx, func(tags map[string]string) bool { return tags[TagRun] != "" })
	if err != nil {
		return nil, unwrapped(err)
	}
	swept := []Swept{}
	for _, c := range ours {
		s := Swept{
			Workspace: space.name(), ID: c.ClusterId, Name: secret.Redact(c.ClusterName), Run: c.CustomTags[TagRun], Owner: c.CustomTags[TagOwner], State: string(c.State),
		}
		if s.Deadline, err = time.Parse(time.RFC3339, c.CustomTags[TagDeadline]); err != nil {
			s.Deadline = time.Time{}
		}
		if s.Action, s.Why = sweep.decide(s); s.Action == Removed {
			if err := space.remove(ctx, c.ClusterId); err != nil {
				s.Action, s.Why = NotRemoved, short(unwrapped(err))
			}
		}
		swept = append(swept, s)
		if ctx.Err() != nil {
			return swept, context.Cause(ctx)
		}
	}
	return swept, nil
}

// decide says what is to be done with a cluster of ours.
func (s Sweep) decide(c Swept) (Action, string) {
	late := s.Now.Sub(c.Deadline)
	why := ""
	switch {
	case s.Run != "" && c.Run != tagText(s.Run):
		return Kept, "it is of another run"
	case s.Run != "":
		why = "it is of the run " + s.Run
	case c.Deadline.IsZero():
		return Kept, "its deadline cannot be read; name its run to end it"
	case late <= 0:
		return Kept, fmt.Sprintf("its deadline is in %s", (-late).Round(time.Second))
	case late < s.Older:
		return Kept, fmt.Sprintf("its deadline was %s ago", late.Round(time.Second))
	default:
		why = fmt.Sprintf("its deadline was %s ago", late.Round(time.Second))
	}
	if s.DryRun {
		return WouldRemove, why
	}
	return Removed, why
}

// tagged are the clusters whose tags are wanted, the oldest first.
func (w *workspace) tagged(ctx context.Context, wanted func(map[string]string) bool) ([]compute.ClusterDetails, error) {
	var found []compute.ClusterDetails
	err := w.call(ctx, "listing the clusters of "+w.name(), harmless, func(ctx context.Context) error {
		found = nil
		all := w.clusters.List(ctx, compute.ListClustersRequest{PageSize: 100})
		for all.HasNext(ctx) {
			c, err := all.Next(ctx)
			if err != nil {
				return err
			}
			if wanted(c.CustomTags) {
				found = append(found, c)
			}
		}
		return nil
	})
	slices.SortStableFunc(found, func(a, b compute.ClusterDetails) int { return int(a.StartTime - b.StartTime) })
	return found, err
}
