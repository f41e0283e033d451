package emulator

import (
	"crypto/rand"
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
	resizing    = "RESIZING"
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

	next      Next
	life      *life // nil: nothing runs
	contexts  map[string]*execContext
	libraries []library
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

// complete fills in what the platform sets by itself; the lock is held.
func (s *Server) complete(c spec) spec {
	c.SparkConf, c.CustomTags = maps.Clone(c.SparkConf), maps.Clone(c.CustomTags)
	if c.IsSingleNode {
		c.SparkConf = with(with(c.SparkConf, profileKey, singleNode), masterKey, "local[*, 4]")
		c.CustomTags = with(c.CustomTags, resourceTag, resourceNode)
		none := 0
		c.NumWorkers = &none
	}
	if c.InstancePoolID != "" {
		if c.DriverInstancePoolID == "" {
			c.DriverInstancePoolID = c.InstancePoolID
		}
		c.NodeTypeID, c.DriverNodeTypeID = s.pools[c.InstancePoolID].NodeTypeID, s.pools[c.DriverInstancePoolID].NodeTypeID
	}
	if c.DriverNodeTypeID == "" {
		c.DriverNodeTypeID = c.NodeTypeID
	}
	if older, newer := modeAliases[c.DataSecurityMode]; newer {
		c.DataSecurityMode = older
	}
	for _, flag := range []**bool{&c.EnableElasticDisk, &c.EnableLocalDiskEncryption} {
		if *flag == nil {
			*flag = new(bool)
		}
	}
	if c.AutoterminationMinutes == nil {
		never := 0
		c.AutoterminationMinutes = &never
	}
	return c
}

// modeAliases are access modes with the older names that clusters/get shows for them; AUTO is for one user where it can be.
var modeAliases = map[string]string{
	"": "NONE", "DATA_SECURITY_MODE_DEDICATED": "SINGLE_USER", "DATA_SECURITY_MODE_STANDARD": "USER_ISOLATION", "DATA_SECURITY_MODE_AUTO": "SINGLE_USER",
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
	if c.up() {
		n, _ := s.nodeType(c.spec.DriverNodeTypeID)
		d.ClusterCores, d.ClusterMemoryMb, d.JdbcPort = n.NumCores, int64(n.MemoryMb), 10000
		d.Driver = &sparkNode{NodeID: c.instanceID, InstanceID: c.instanceID, PrivateIP: "10.0.0.1", HostPrivateIP: "10.0.0.2", StartTimestamp: millis(c.started)}
	}
	return d
}

// up says that the driver answers.
func (c *cluster) up() bool { return c.state == running || c.state == resizing }

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
