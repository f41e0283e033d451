package databricks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// How often the workspace is asked. A cluster takes minutes, but one from a warm pool seconds; a command may be done at once.
const (
	clusterFirst = 250 * time.Millisecond
	clusterMost  = time.Second
	patient      = 5 * time.Minute // after which clusterSlow is enough
	clusterSlow  = 3 * time.Second
	commandFirst = 50 * time.Millisecond
	commandMost  = time.Second
)

// await watches the cluster until it runs, or has ended.
func (c *cluster) await(ctx context.Context) (err error) {
	ctx, task := progress.Start(ctx, "cluster %s", c.ID())
	defer func() { task.End(err) }()
	began, shown, pause := time.Now(), "", clusterFirst
	heard := began
	for {
		now, err := c.look(ctx)
		if err != nil {
			return c.orLate(ctx, err, shown, time.Since(heard))
		}
		heard = time.Now()
		if said := foreign.Short(string(now.State)+": "+now.StateMessage, 300); said != shown {
			shown = said
			task.Notef("%s", said)
		}
		switch now.State {
		case compute.StateRunning:
			c.mu.Lock()
			c.started, c.running = began, time.Now()
			c.mu.Unlock()
			c.event("the cluster runs, %s after its creation", time.Since(began).Round(100*time.Millisecond))
			return nil
		case compute.StateTerminated, compute.StateError:
			return c.why(ctx, now)
		case compute.StateTerminating:
			if now.TerminationReason != nil && now.TerminationReason.Code != "" {
				return c.why(ctx, now)
			}
		}
		if err := c.space.wait(ctx, pause); err != nil {
			return c.orLate(ctx, err, shown, 0)
		}
		most := clusterMost
		if time.Since(began) > patient {
			most = clusterSlow
		}
		pause = min(pause*3/2, most)
	}
}

// look asks how the cluster is.
func (c *cluster) look(ctx context.Context) (*compute.ClusterDetails, error) {
	var now *compute.ClusterDetails
	err := c.space.call(ctx, "asking how the cluster "+c.known()+" is", harmless, func(ctx context.Context) (err error) {
		now, err = c.space.clusters.Get(ctx, compute.GetClusterRequest{ClusterId: c.known()})
		return err
	})
	if e := (*fault)(nil); errors.As(err, &e) && gone(e.of.Cause) {
		return nil, &fault{of: &launch.Error{
			Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: fmt.Sprintf("the cluster %s is gone from the workspace: somebody else deleted it", c.known()),
			Remedy: "Find out who deletes clusters there (hallmark cleanup does with those past their deadline), and run the same command again", Cause: e.of.Cause,
		}, again: true}
	}
	return now, err
}

// orLate words the end of the launch's own time with what the cluster was doing then, or for how long nobody has said.
func (c *cluster) orLate(ctx context.Context, err error, shown string, silent time.Duration) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) || shown == "" {
		return err
	}
	if silent >= lookWithin {
		return noAnswer(false, "%s did not answer for the last %s of the launch's %s; the last it said of the cluster was %q",
			c.space.name(), silent.Round(time.Second), c.spec.Timeout.Round(time.Second), shown)
	}
	return &fault{of: &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeTimeout,
		Reason: fmt.Sprintf("the cluster was not running when the launch's %s were over; the last the workspace said of it was %q", c.spec.Timeout.Round(time.Second), shown),
		Remedy: "Give the launch a longer timeout, or use an instance pool with idle machines",
	}}
}

// why is why the cluster ended, from the workspace's own reason and from its events.
func (c *cluster) why(ctx context.Context, now *compute.ClusterDetails) error {
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventsWithin)
	defer cancel()
	if err := c.listen(reading); err != nil {
		c.event("the cluster's events cannot be read: %v", reasonOf(err))
	}
	c.mu.Lock()
	told := c.told
	c.mu.Unlock()
	end := ended(now, told)
	c.event("the cluster ended with %s (%s)", end.Code, end.Type)
	known, again := explain(end)
	known.Events = nil // State has them all
	return &fault{of: known, again: again}
}
