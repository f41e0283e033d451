package sandbox

import (
	"context"
	"slices"

	"github.com/moby/buildkit/client"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// State is what the engine has seen of the container's limits, and what happened.
func (c *cluster) State() launch.State {
	c.mu.Lock()
	state := launch.State{Runtime: c.engine.Reason(), Events: slices.Clone(c.events), Scripts: slices.Clone(c.scripts)}
	if c.driver != "" {
		state.Runtime += "; " + c.driver
	}
	c.mu.Unlock()
	asked := c.spec.Limits.Asked()
	seen, found, err := c.seen()
	for i := range asked {
		switch {
		case err != nil:
			asked[i].Note = err.Error()
		case !found:
			asked[i].Note = "the container was never started"
		default:
			held := map[string]engine.Held{"memory": seen.Memory, "cpus": seen.CPUs, "pids": seen.PIDs}[asked[i].Name]
			asked[i].Enforced, asked[i].Note = held.Enforced, held.Reason
		}
	}
	state.Limits = asked
	state.OOMKilled, state.MemoryPeak = seen.OOMKilled, seen.MemoryPeak
	state.PIDsExhausted = seen.PIDsExhausted(engine.Limits{PIDs: c.spec.Limits.PIDs})
	return state
}

// show turns the engine's account of the pull into progress: bytes of all layers together.
func show(ctx context.Context, statuses <-chan *client.SolveStatus) {
	task := progress.From(ctx)
	current, total := map[string]int64{}, map[string]int64{}
	for status := range statuses {
		for _, s := range status.Statuses {
			if s.Total > 0 {
				current[s.ID], total[s.ID] = s.Current, s.Total
			}
		}
		if len(status.Statuses) > 0 && len(total) > 0 {
			task.Advance(sum(current), sum(total))
		}
	}
}

func sum(all map[string]int64) (n int64) {
	for _, one := range all {
		n += one
	}
	return n
}
