package emulator

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
)

// editCall is what clusters/edit takes.
type editCall struct {
	spec
	ClusterID string `json:"cluster_id"`
}

func (s *Server) edit(asked editCall) (any, error) {
	c, err := s.find(asked.ClusterID)
	if err != nil {
		return nil, err
	}
	return nil, s.change(c, asked.spec)
}

// change gives the cluster another specification; one that runs is restarted with it. The lock is held.
func (s *Server) change(c *cluster, to spec) error {
	if c.state != running && c.state != terminated {
		return wrongState("Cluster %s is in unexpected state %s: it can be edited in RUNNING and TERMINATED only.", c.id, title(c.state))
	}
	if err := s.applyPolicy(&to); err != nil {
		return err
	}
	if err := s.check(&to); err != nil {
		return err
	}
	before := c.spec
	c.sent, c.spec = to, s.complete(to)
	if c.spec.ClusterName == "" {
		c.spec.ClusterName = before.ClusterName
	}
	now := c.spec
	c.event("EDITED", eventDetails{Attributes: &now, PreviousAttributes: &before, User: s.options.User})
	if c.state == running {
		s.restart(c)
	}
	return nil
}

// updateCall is what clusters/update takes.
type updateCall struct {
	ClusterID  string          `json:"cluster_id"`
	Cluster    json.RawMessage `json:"cluster,omitempty"`
	UpdateMask string          `json:"update_mask"`
}

// update changes the fields that update_mask names, and no others.
func (s *Server) update(asked updateCall) (any, error) {
	if asked.UpdateMask == "" {
		return nil, invalid("Missing required field: update_mask")
	}
	if len(asked.Cluster) == 0 {
		asked.Cluster = json.RawMessage("{}")
	}
	if err := decode(asked.Cluster, &spec{}); err != nil {
		return nil, err
	}
	c, err := s.find(asked.ClusterID)
	if err != nil {
		return nil, err
	}
	before, err := tree(c.sent)
	if err != nil {
		return nil, err
	}
	given, err := tree(asked.Cluster)
	if err != nil {
		return nil, err
	}
	after := maps.Clone(before)
	for mask := range strings.SplitSeq(asked.UpdateMask, ",") {
		path := strings.Split(strings.TrimSpace(mask), ".")
		if mask == "*" {
			after = given
			continue
		}
		replace(after, given, path)
	}
	var to spec
	text, err := json.Marshal(after)
	if err == nil {
		err = decode(text, &to)
	}
	if err != nil {
		return nil, err
	}
	return nil, s.change(c, to)
}

// tree is a value as JSON has it.
func tree(value any) (all map[string]any, err error) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all, err
}

// replace takes over one field, given or not, from another object.
func replace(in, from map[string]any, path []string) {
	value, given := from[path[0]]
	if len(path) == 1 {
		delete(in, path[0])
		if given {
			in[path[0]] = value
		}
		return
	}
	inner, _ := in[path[0]].(map[string]any)
	inner = maps.Clone(inner)
	if inner == nil {
		inner = map[string]any{}
	}
	source, _ := value.(map[string]any)
	replace(inner, source, path[1:])
	in[path[0]] = inner
}

// resizeCall is what clusters/resize takes.
type resizeCall struct {
	ClusterID  string     `json:"cluster_id"`
	NumWorkers *int       `json:"num_workers,omitempty"`
	Autoscale  *autoscale `json:"autoscale,omitempty"`
}

// resize changes the number of workers, of a cluster that runs.
func (s *Server) resize(asked resizeCall) (any, error) {
	c, err := s.find(asked.ClusterID)
	if err != nil {
		return nil, err
	}
	to := c.sent
	to.NumWorkers, to.Autoscale = asked.NumWorkers, asked.Autoscale
	return nil, s.changeSize(c, to)
}

// changeSize gives a cluster that runs the specification with another size. The lock is held.
func (s *Server) changeSize(c *cluster, to spec) error {
	if c.state != running {
		return wrongState("Cluster %s is in unexpected state %s: only a cluster in RUNNING can be resized.", c.id, title(c.state))
	}
	if err := s.applyPolicy(&to); err != nil {
		return err
	}
	if err := s.checkSize(&to); err != nil {
		return err
	}
	before := c.spec
	c.sent, c.spec = to, s.complete(to)
	c.spec.ClusterName = before.ClusterName
	c.state, c.message = resizing, "Resizing"
	c.event("RESIZING", eventDetails{Cause: "USER_REQUEST", CurrentNumWorkers: workersOf(before), TargetNumWorkers: workersOf(c.spec), ClusterSize: sizeOf(c.spec), User: s.options.User})
	s.living.Add(1)
	go s.resized(c, c.life)
	return nil
}

// resized says that the workers are there.
func (s *Server) resized(c *cluster, l *life) {
	defer s.living.Done()
	_ = pause.For(s.ctx, s.options.Pace)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.life == l && c.state == resizing {
		c.state, c.message = running, ""
		c.event("UPSIZE_COMPLETED", eventDetails{CurrentNumWorkers: workersOf(c.spec), TargetNumWorkers: workersOf(c.spec)})
	}
}
