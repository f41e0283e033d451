package emulator

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// onlyID is the body of most calls.
type onlyID struct {
	ClusterID   string `json:"cluster_id"`
	RestartUser string `json:"restart_user,omitempty"` // of clusters/restart
}

// withCluster answers a call that is about one cluster.
func (s *Server) withCluster(work func(c *cluster) (any, error)) handler {
	read := func(r *request) (onlyID, error) {
		if r.Method == http.MethodGet {
			return onlyID{ClusterID: r.URL.Query().Get("cluster_id")}, nil
		}
		return inBody[onlyID](r)
	}
	return asking(s, read, func(asked onlyID) (any, error) {
		c, err := s.find(asked.ClusterID)
		if err != nil {
			return nil, err
		}
		return work(c)
	})
}

// createCall is what clusters/create takes.
type createCall struct {
	spec
	CloneFrom *struct {
		SourceClusterID string `json:"source_cluster_id"`
	} `json:"clone_from,omitempty"`
	IdempotencyToken string `json:"idempotency_token,omitempty"`
}

func (s *Server) create(asked createCall) (any, error) {
	if len(asked.IdempotencyToken) > longestToken {
		return nil, invalid("idempotency_token must have at most %d characters.", longestToken)
	}
	if made := s.madeFor(asked.IdempotencyToken); made != "" {
		return map[string]string{"cluster_id": made}, nil
	}
	if err := s.mayCreate(); err != nil {
		return nil, err
	}
	if s.ctx.Err() != nil {
		return nil, refuse(http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE", "The emulator is being stopped")
	}
	var libraries []library
	if asked.CloneFrom != nil { // its libraries, and nothing else
		source, err := s.find(asked.CloneFrom.SourceClusterID)
		if err != nil {
			return nil, err
		}
		libraries = slices.Clone(source.libraries)
	}
	if err := s.applyPolicy(&asked.spec); err != nil {
		return nil, err
	}
	if err := s.check(&asked.spec); err != nil {
		return nil, err
	}
	c := &cluster{id: newID(), sent: asked.spec, spec: s.complete(asked.spec), created: time.Now(), libraries: libraries}
	if c.spec.ClusterName == "" {
		c.spec.ClusterName = c.id
	}
	c.next = s.take()
	s.clusters[c.id], s.order = c, append(s.order, c.id)
	if asked.IdempotencyToken != "" {
		s.replies[asked.IdempotencyToken] = c.id
	}
	s.begin(c, pending, "CREATING", s.options.User)
	if c.next.Drop {
		return nil, errDrop
	}
	return map[string]string{"cluster_id": c.id}, nil
}

// title writes a state as the platform's messages do: Terminated.
func title(state string) string { return state[:1] + strings.ToLower(state[1:]) }

// restart ends the cluster's life and begins the next one; the lock is held.
func (s *Server) restart(c *cluster) {
	c.restarted = time.Now()
	c.life.again, c.life.ending, c.life.user = true, byUser(s.options.User), s.options.User
	c.state, c.message = restarting, "Restarting"
	c.life.cancel()
	c.event("RESTARTING", eventDetails{User: s.options.User})
}

func (s *Server) restartCluster(c *cluster) (any, error) {
	if c.state != running {
		return nil, wrongState("Cluster %s is in unexpected state %s.", c.id, title(c.state))
	}
	c.next = s.take()
	s.restart(c)
	return nil, nil
}

func (s *Server) start(c *cluster) (any, error) {
	if c.state != terminated {
		return nil, wrongState("Cluster %s is in unexpected state %s.", c.id, title(c.state))
	}
	c.next = s.take()
	c.restarted = time.Now()
	s.begin(c, pending, "STARTING", s.options.User)
	return nil, nil
}

// terminate is clusters/delete, which may be called again.
func (s *Server) terminate(c *cluster) (any, error) {
	if c.life != nil {
		c.life.again = false
		s.end(c, byUser(s.options.User), s.options.User)
		c.state = terminating
	}
	return nil, nil
}

func (s *Server) permanentDelete(c *cluster) (any, error) {
	if c.pinned {
		return nil, wrongState("Cannot delete pinned cluster %s. Please ask an admin to unpin the cluster first.", c.id)
	}
	s.forget(c)
	return nil, nil
}

func (s *Server) get(c *cluster) (any, error) { return s.describe(c), nil }

func (s *Server) pin(c *cluster) (any, error) {
	c.pinned = true
	c.event("PINNED", eventDetails{User: s.options.User})
	return nil, nil
}

func (s *Server) unpin(c *cluster) (any, error) {
	c.pinned = false
	c.event("UNPINNED", eventDetails{User: s.options.User})
	return nil, nil
}

// Sizes of pages of clusters/list.
const (
	usualClusters = 20
	mostClusters  = 100
)

// list answers with the newest cluster first, unless it is to sort by name.
func (s *Server) list(r *request) (any, error) {
	query := r.URL.Query()
	size := usualClusters
	if text := query.Get("page_size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > mostClusters {
			return nil, invalid("page_size must be between 1 and %d.", mostClusters)
		}
		size = cmp.Or(n, usualClusters)
	}
	from := 0
	if token := query.Get("page_token"); token != "" {
		at, err := openToken(token)
		if err != nil {
			return nil, err
		}
		from = int(at)
	}
	var found []*cluster
	for _, id := range slices.Backward(s.order) {
		c := s.clusters[id]
		states, sources := query["filter_by.cluster_states"], query["filter_by.cluster_sources"]
		policy := query.Get("filter_by.policy_id")
		if len(states) > 0 && !slices.Contains(states, c.state) || len(sources) > 0 && !slices.Contains(sources, "API") ||
			policy != "" && c.spec.PolicyID != policy || query.Get("filter_by.is_pinned") == "true" && !c.pinned {
			continue
		}
		found = append(found, c)
	}
	if query.Get("sort_by.field") == "CLUSTER_NAME" {
		slices.SortStableFunc(found, func(a, b *cluster) int { return strings.Compare(a.spec.ClusterName, b.spec.ClusterName) })
		if query.Get("sort_by.direction") != "ASC" {
			slices.Reverse(found)
		}
	}
	from = min(from, len(found))
	to := min(from+size, len(found))
	answer := struct {
		Clusters      []details `json:"clusters,omitempty"`
		NextPageToken string    `json:"next_page_token,omitempty"`
		PrevPageToken string    `json:"prev_page_token,omitempty"`
	}{}
	for _, c := range found[from:to] {
		answer.Clusters = append(answer.Clusters, s.describe(c))
	}
	if to < len(found) {
		answer.NextPageToken = makeToken(int64(to))
	}
	if from > 0 {
		answer.PrevPageToken = makeToken(int64(max(0, from-size)))
	}
	return answer, nil
}
