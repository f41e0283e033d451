package emulator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"
)

// States of the platform's clusters.
const (
	pending     = "PENDING"
	running     = "RUNNING"
	restarting  = "RESTARTING"
	terminating = "TERMINATING"
	terminated  = "TERMINATED"
)

// Types of termination.
const (
	byClient  = "CLIENT_ERROR"
	byService = "SERVICE_FAULT"
	bySuccess = "SUCCESS"
)

// cluster is one of the workspace. What stands in it belongs to whoever holds the server's lock.
type cluster struct {
	id         string
	sent       spec // as it came
	spec       spec // as it holds, with what single nodes get by themselves
	created    time.Time
	started    time.Time
	restarted  time.Time
	ended      time.Time
	lostState  time.Time
	state      string
	message    string
	reason     *reason
	events     []event
	pinned     bool
	contextID  int64
	instanceID string
	lastUsed   time.Time

	next     Next
	life     *life // nil: nothing runs
	contexts map[string]*execContext
}

// life is one span between a start and a termination.
type life struct {
	cancel context.CancelFunc
	node   Node
	ending *reason // why it is being ended, if so
	user   string
	again  bool  // it is a restart: a new life follows
	synced int64 // the serial number of the last uploaded file that the node has
	over   chan struct{}
}

// newID is like the platform's: 0123-456789-abcdefgh.
func newID() string {
	number := func(most int64) int64 {
		n, err := rand.Int(rand.Reader, big.NewInt(most))
		if err != nil {
			panic(err) // the system's source of random numbers never fails
		}
		return n.Int64()
	}
	return fmt.Sprintf("%s-%06d-%s", time.Now().Format("0102"), number(1_000_000), strings.ToLower(rand.Text()[:8]))
}

// settle fills in what the platform sets by itself.
func settle(c spec) spec {
	c.SparkConf, c.CustomTags = maps.Clone(c.SparkConf), maps.Clone(c.CustomTags)
	if c.IsSingleNode {
		c.SparkConf = with(with(c.SparkConf, profileKey, singleNode), masterKey, "local[*]")
		c.CustomTags = with(c.CustomTags, resourceTag, resourceNode)
		none := 0
		c.NumWorkers = &none
	}
	if c.DriverNodeTypeID == "" {
		c.DriverNodeTypeID = c.NodeTypeID
	}
	if c.DataSecurityMode == "" {
		c.DataSecurityMode = "NONE"
	}
	if c.EnableElasticDisk == nil {
		off := false
		c.EnableElasticDisk = &off
	}
	if c.AutoterminationMinutes == nil {
		never := 0
		c.AutoterminationMinutes = &never
	}
	return c
}

func with(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	if _, set := m[key]; !set {
		m[key] = value
	}
	return m
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
		err = s.watch(ctx, c, node, next)
	}
	if ctx.Err() == nil || l.unasked(s) { // it ends by itself
		s.fallen(c, l, err)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if node != nil {
		s.deliver(c, node.Logs())
		if err := node.Stop(stopping); err != nil && s.options.Log != nil {
			s.options.Log(fmt.Sprintf("stopping the cluster %s: %v", c.id, err))
		}
	}
	s.pause(s.ctx, s.options.Pace+time.Duration(next.SlowEnd))
	s.down(c, l)
}

// deliver leaves the driver's log where the cluster was told to.
func (s *Server) deliver(c *cluster, log string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	conf := c.spec.ClusterLogConf
	if conf == nil || conf.Dbfs == nil && conf.Volumes == nil { // the emulator has no cloud storage
		return
	}
	to := conf.Dbfs
	if to == nil {
		to = conf.Volumes
	}
	if err := s.files.write(strings.TrimRight(to.Destination, "/")+"/"+c.id+"/driver/stdout", []byte(log), true); err != nil && s.options.Log != nil {
		s.options.Log(fmt.Sprintf("delivering the log of %s: %v", c.id, err))
	}
}

// sync gives the node what was uploaded since it was last asked something.
func (s *Server) sync(ctx context.Context, l *life) error {
	s.mu.Lock()
	fresh, serial := s.files.since(l.synced), s.files.serial
	l.synced = serial
	s.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(fresh)) {
		if err := l.node.Put(ctx, path, fresh[path]); err != nil {
			return fmt.Errorf("showing the cluster %s: %w", path, err)
		}
	}
	return nil
}

// stopWithin bounds a machine's taking down.
const stopWithin = time.Minute

// unasked says that nobody asked for the end: the server is being closed.
func (l *life) unasked(s *Server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.ending == nil
}

func (s *Server) pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// bringUp starts the machine, unless it is told to end otherwise.
func (s *Server) bringUp(ctx context.Context, c *cluster, next Next, launch Launch, unresolved *Ended) (Node, error) {
	s.pause(ctx, s.options.Pace+time.Duration(next.Slow))
	if next.Hang {
		<-ctx.Done()
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case next.End != nil && !next.End.Running:
		s.pause(ctx, time.Duration(next.End.After))
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
func (s *Server) watch(ctx context.Context, c *cluster, node Node, next Next) error {
	var gone <-chan struct{}
	if node != nil {
		gone = node.Gone()
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

// describe is the cluster as clusters/get shows it; the lock is held.
func (s *Server) describe(c *cluster) details {
	sent := c.sent
	d := details{
		spec: c.spec, ClusterID: c.id, CreatorUserName: s.options.User, ClusterSource: "API", Spec: &sent, State: c.state, StateMessage: c.message,
		StartTime: millis(c.created), LastRestartedTime: millis(c.restarted), LastStateLossTime: millis(c.lostState), TerminatedTime: millis(c.ended),
		TerminationReason: c.reason, SparkContextID: c.contextID,
		DefaultTags: map[string]string{"Vendor": "Databricks", "Creator": s.options.User, "ClusterName": c.spec.ClusterName, "ClusterId": c.id},
	}
	if c.pinned {
		d.PinnedByUserName = s.options.User
	}
	if c.state == running {
		n, _ := s.nodeType(c.spec.DriverNodeTypeID)
		d.ClusterCores, d.ClusterMemoryMb, d.JdbcPort = n.NumCores, int64(n.MemoryMb), 10000
		d.Driver = &sparkNode{NodeID: c.instanceID, InstanceID: c.instanceID, PrivateIP: "10.0.0.1", HostPrivateIP: "10.0.0.2", StartTimestamp: millis(c.started)}
	}
	return d
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func workersOf(c spec) int {
	switch {
	case c.NumWorkers != nil:
		return *c.NumWorkers
	case c.Autoscale != nil:
		return c.Autoscale.MinWorkers
	}
	return 0
}

// find is the cluster, unless it was never there or is permanently deleted; the lock is held.
func (s *Server) find(id string) (*cluster, error) {
	if id == "" {
		return nil, invalid("Missing required field: cluster_id")
	}
	c, known := s.clusters[id]
	if !known {
		return nil, invalid("Cluster %s does not exist", id)
	}
	return c, nil
}

// forget takes a cluster out of the workspace at once; what runs of it is ended in the background.
func (s *Server) forget(c *cluster) {
	if c.life != nil {
		c.life.again = false
		s.end(c, byUser(s.options.User), s.options.User)
	}
	delete(s.clusters, c.id)
	s.order = slices.DeleteFunc(s.order, func(id string) bool { return id == c.id })
	s.deleted++
}
