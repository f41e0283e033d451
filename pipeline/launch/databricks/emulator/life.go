package emulator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
)

// life is one span between a start and a termination.
type life struct {
	cancel context.CancelFunc
	node   Node
	ending *reason // why it is being ended, if so
	user   string
	again  bool  // it is a restart: a new life follows
	synced int64 // the serial number of the last uploaded file that the node has
	over   chan struct{}

	scripts []ScriptResult // that have run
}

// begin starts a life of the cluster; the lock is held.
func (s *Server) begin(c *cluster, state, first, user string) {
	ctx, cancel := context.WithCancel(s.ctx)
	c.life = &life{cancel: cancel, over: make(chan struct{})}
	c.state, c.message, c.reason = state, "Starting Spark", nil
	c.started, c.ended, c.lastUsed = time.Now(), time.Time{}, time.Now()
	c.contexts = map[string]*execContext{}
	c.instanceID = "i-" + strings.ToLower(rand.Text()[:17])
	attributes := c.spec
	if first == "CREATING" {
		c.event(first, eventDetails{Attributes: &attributes, ClusterSize: sizeOf(c.spec), User: user})
	} else {
		c.event(first, eventDetails{User: user})
	}
	launch, unresolved := s.launch(c)
	s.lives++
	s.living.Add(1)
	go s.live(ctx, c, c.life, c.next, launch, unresolved)
}

// end asks the cluster's life to end; the lock is held.
func (s *Server) end(c *cluster, why *reason, user string) {
	if c.life == nil || c.life.ending != nil {
		return
	}
	c.life.ending, c.life.user = why, user
	c.state, c.message, c.reason = terminating, stateMessage(why, user), why
	c.event("TERMINATING", eventDetails{Reason: why, User: user})
	c.life.cancel()
}

func byUser(user string) *reason {
	return &reason{Code: "USER_REQUEST", Type: bySuccess, Parameters: map[string]string{"username": user}}
}

func stateMessage(why *reason, user string) string {
	switch {
	case why.Code == "USER_REQUEST":
		return "Terminated by " + user
	case why.Code == "INACTIVITY":
		return "Inactive cluster terminated (inactive for " + why.Parameters["inactivity_duration_min"] + " minutes)."
	default:
		return why.Parameters[messageParameter]
	}
}

// live goes through one life, from the start of a machine to its end.
func (s *Server) live(ctx context.Context, c *cluster, l *life, next Next, launch Launch, unresolved *Ended) {
	defer s.living.Done()
	defer close(l.over)
	node, err := s.bringUp(ctx, c, next, launch, unresolved)
	if err == nil {
		s.up(c, l, node)
		err = s.watch(ctx, c, l, node, next)
	}
	if ctx.Err() == nil || l.unasked(s) { // it ends by itself
		s.fallen(c, l, err)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if ended := (*Ended)(nil); node == nil && unresolved == nil && errors.As(err, &ended) && (ended.Logs != Logs{} || len(ended.Scripts) > 0) {
		s.deliver(c, l, ended.Logs)
	}
	if node != nil {
		s.deliver(c, l, node.Logs())
		if err := node.Stop(stopping); err != nil && s.options.Log != nil {
			s.options.Log(fmt.Sprintf("stopping the cluster %s: %v", c.id, err))
		}
	}
	_ = pause.For(s.ctx, s.options.Pace+time.Duration(next.SlowEnd))
	s.down(c, l)
}

// stopWithin bounds a machine's taking down.
const stopWithin = time.Minute

// unasked says that nobody asked for the end: the server is being closed.
func (l *life) unasked(s *Server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.ending == nil
}

// down is the last of a life; a restart begins the next one.
func (s *Server) down(c *cluster, l *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.life, c.lostState = nil, time.Now()
	s.lives--
	for _, e := range c.contexts {
		e.lost()
	}
	if l.again && s.ctx.Err() == nil {
		s.begin(c, restarting, "STARTING", l.user)
		return
	}
	c.state, c.ended = terminated, time.Now()
}
