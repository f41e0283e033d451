package emulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
)

// bringUp starts the machine, unless it is told to end otherwise.
func (s *Server) bringUp(ctx context.Context, c *cluster, next Next, launch Launch, unresolved *Ended) (Node, error) {
	_ = pause.For(ctx, s.options.Pace+time.Duration(next.Slow))
	if next.Hang {
		<-ctx.Done()
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case next.End != nil && !next.End.Running:
		_ = pause.For(ctx, time.Duration(next.End.After))
		return nil, next.End.ended()
	case unresolved != nil:
		return nil, unresolved
	case s.options.Machine == nil || next.NoMachine || launch.Image == "":
		s.tell(c, Progress{Stage: Pulled})
		if len(launch.Scripts) > 0 {
			s.tell(c, Progress{Stage: Scripting})
			s.tell(c, Progress{Stage: Driving, Scripts: notRun(launch.Scripts)})
		}
		return nil, nil
	}
	return s.options.Machine.Start(ctx, launch, func(p Progress) { s.tell(c, p) })
}

func notRun(scripts []Script) (all []ScriptResult) {
	for _, script := range scripts {
		all = append(all, ScriptResult{Name: script.Name})
	}
	return all
}

// tell writes down a stage that the machine has reached.
func (s *Server) tell(c *cluster, p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p.Stage {
	case Pulled:
		c.message = "Setting up the container"
	case Scripting:
		c.message = "Running init scripts"
		c.event("INIT_SCRIPTS_STARTED", eventDetails{InitScripts: c.scripts(nil)})
	case Driving:
		c.message = "Starting the driver"
		if c.life != nil {
			c.life.scripts = p.Scripts
		}
		if len(p.Scripts) > 0 {
			c.event("INIT_SCRIPTS_FINISHED", eventDetails{InitScripts: c.scripts(p.Scripts)})
		}
	}
}

// up says that the driver answers.
func (s *Server) up(c *cluster, l *life, node Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.ending != nil {
		return
	}
	l.node = node
	c.state, c.message, c.lastUsed = running, "", time.Now()
	c.contextID = time.Now().UnixNano()
	c.event("RUNNING", eventDetails{CurrentNumWorkers: workersOf(c.spec), TargetNumWorkers: workersOf(c.spec)})
	c.event("DRIVER_HEALTHY", eventDetails{})
}

// watch waits for the end of a cluster that runs: asked for, by itself, as it was told, or for want of use.
func (s *Server) watch(ctx context.Context, c *cluster, l *life, node Node, next Next) error {
	var gone <-chan struct{}
	var deliver <-chan time.Time
	if node != nil {
		gone = node.Gone()
		often := time.NewTicker(deliveredEvery * s.inMinute)
		defer often.Stop()
		deliver = often.C
	}
	var told, lost <-chan time.Time
	if next.End != nil {
		told = time.After(time.Duration(next.End.After))
	}
	if next.LoseDriver != nil {
		lost = time.After(time.Duration(*next.LoseDriver))
	}
	idle := time.NewTicker(100 * time.Millisecond)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-gone:
			return s.unreachable(c, node.Why())
		case <-lost:
			return s.unreachable(c, "The driver node does not answer any more")
		case <-deliver:
			s.deliver(c, l, node.Logs())
		case <-told:
			return next.End.ended()
		case <-idle.C:
			if minutes := s.inactive(c); minutes > 0 {
				return &Ended{Code: "INACTIVITY", Type: bySuccess, Parameters: map[string]string{"inactivity_duration_min": fmt.Sprint(minutes)}}
			}
		}
	}
}

// unreachable writes down that the driver is lost, and says how the cluster ends of it.
func (s *Server) unreachable(c *cluster, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.event("DRIVER_NOT_RESPONDING", eventDetails{DriverStateMessage: why})
	return &Ended{Code: "DRIVER_UNREACHABLE", Type: byService, Parameters: map[string]string{"instance_id": c.instanceID, messageParameter: why}}
}

// inactive is for how many minutes nothing was asked of the cluster, if that is enough to end it.
func (s *Server) inactive(c *cluster) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	minutes := *c.spec.AutoterminationMinutes
	for _, e := range c.contexts {
		if e.busy() {
			c.lastUsed = time.Now()
		}
	}
	if minutes == 0 || time.Since(c.lastUsed) < time.Duration(minutes)*s.inMinute {
		return 0
	}
	return minutes
}

// fallen ends a life that nobody asked to end.
func (s *Server) fallen(c *cluster, l *life, err error) {
	why := &reason{Code: "INTERNAL_ERROR", Type: byService, Parameters: map[string]string{messageParameter: "The emulator is being stopped"}}
	ended := (*Ended)(nil)
	switch {
	case errors.As(err, &ended):
		why = &reason{Code: ended.Code, Type: ended.Type, Parameters: maps.Clone(ended.Parameters)}
	case err != nil && !errors.Is(err, context.Canceled):
		why.Parameters[messageParameter] = "The emulator's machine failed: " + err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ended == nil:
	case len(ended.Scripts) > 0:
		l.scripts = ended.Scripts
		c.event("INIT_SCRIPTS_FINISHED", eventDetails{InitScripts: c.scripts(ended.Scripts)})
	case len(ended.events) > 0:
		for _, e := range ended.events {
			c.event(e.Type, eventDetails{DriverStateMessage: e.DriverStateMessage})
		}
	case ended.Driver:
		c.event("DRIVER_UNAVAILABLE", eventDetails{DriverStateMessage: ended.Parameters[messageParameter]})
	case c.state == pending || c.state == restarting:
		c.event("ADD_NODES_FAILED", eventDetails{Reason: why})
	}
	s.end(c, why, "")
}
