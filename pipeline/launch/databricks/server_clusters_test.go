package databricks

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// createBody is what may be asked for. Anything else fails the test.
type createBody struct {
	ApplyPolicyDefaultValues bool              `json:"apply_policy_default_values"`
	AutoterminationMinutes   int               `json:"autotermination_minutes"`
	ClusterLogConf           map[string]any    `json:"cluster_log_conf"`
	ClusterName              string            `json:"cluster_name"`
	CustomTags               map[string]string `json:"custom_tags"`
	DataSecurityMode         string            `json:"data_security_mode"`
	DockerImage              struct {
		URL       string `json:"url"`
		BasicAuth *struct {
			Username string `json:"username"`
			Password string `json:"password"`
		} `json:"basic_auth"`
	} `json:"docker_image"`
	DriverInstancePoolID string            `json:"driver_instance_pool_id"`
	IdempotencyToken     string            `json:"idempotency_token"`
	InitScripts          []map[string]any  `json:"init_scripts"`
	InstancePoolID       string            `json:"instance_pool_id"`
	IsSingleNode         bool              `json:"is_single_node"`
	Kind                 string            `json:"kind"`
	NodeTypeID           string            `json:"node_type_id"`
	NumWorkers           *int              `json:"num_workers"`
	PolicyID             string            `json:"policy_id"`
	SingleUserName       string            `json:"single_user_name"`
	SparkConf            map[string]string `json:"spark_conf"`
	SparkEnvVars         map[string]string `json:"spark_env_vars"`
	SparkVersion         string            `json:"spark_version"`
}

func (s *server) cluster(w http.ResponseWriter, r *http.Request, what string) {
	var named struct {
		ClusterID string `json:"cluster_id"`
	}
	switch what {
	case "create":
		var body createBody
		s.body(r, &body)
		if body.IdempotencyToken == "" != s.tokenless || len(body.IdempotencyToken) > longestToken {
			s.t.Errorf("the creation's token is %q", body.IdempotencyToken)
		}
		for id, c := range s.clusters { // one that has ended has lost its token
			if !s.tokenless && c.body.IdempotencyToken == body.IdempotencyToken && c.states[min(c.looks, len(c.states)-1)] != "TERMINATED" {
				write(w, http.StatusOK, map[string]any{"cluster_id": id})
				return
			}
		}
		id := fmt.Sprintf("1122-%06d-abcdefgh", len(s.order)+1)
		made := &madeCluster{id: id, body: body, message: s.message, states: []string{"PENDING", "PENDING", "RUNNING"}}
		if len(s.states) > 0 {
			made.states, s.states = s.states[0], s.states[1:]
		}
		if len(s.ends) > 0 {
			made.end, s.ends = s.ends[0], s.ends[1:]
		}
		s.clusters[id], s.order = made, append(s.order, id)
		if s.kept != nil {
			*s.kept = append(*s.kept, body)
		}
		write(w, http.StatusOK, map[string]any{"cluster_id": id})
	case "get":
		c := s.clusters[s.query(r, "cluster_id").Get("cluster_id")]
		if c == nil {
			notThere(w)
			return
		}
		state := c.states[min(c.looks, len(c.states)-1)]
		c.looks++
		write(w, http.StatusOK, c.details(state))
	case "events":
		var body struct {
			ClusterID string `json:"cluster_id"`
			Order     string `json:"order"`
			Limit     int    `json:"limit"`
			Offset    int    `json:"offset"`
		}
		s.body(r, &body)
		s.clusterEvents(w, body.ClusterID, body.Offset, body.Limit)
	case "list":
		q := s.query(r, "page_size", "page_token")
		s.list(w, q)
	case "permanent-delete", "delete":
		s.body(r, &named)
		if s.clusters[named.ClusterID] == nil {
			notThere(w)
			return
		}
		if what == "permanent-delete" {
			delete(s.clusters, named.ClusterID)
			s.deleted = append(s.deleted, named.ClusterID)
		} else {
			s.clusters[named.ClusterID].states = []string{"TERMINATED"}
		}
		write(w, http.StatusOK, map[string]any{})
	default:
		s.t.Errorf("there is no such request: %s", r.URL)
		w.WriteHeader(http.StatusNotFound)
	}
}

func (c *madeCluster) details(state string) map[string]any {
	d := map[string]any{
		"cluster_id": c.id, "cluster_name": c.body.ClusterName, "state": state, "state_message": "the message of " + state + c.message, "custom_tags": c.body.CustomTags,
		"docker_image": c.body.DockerImage, "start_time": 1,
	}
	if c.end != nil && (state == "TERMINATED" || state == "TERMINATING" || state == "ERROR") {
		d["termination_reason"] = c.end
	}
	return d
}

// clusterEvents answers in pages of two, newest first, as asked for.
func (s *server) clusterEvents(w http.ResponseWriter, id string, offset, limit int) {
	c := s.clusters[id]
	if c == nil {
		notThere(w)
		return
	}
	all := slices.Clone(s.events)
	if c.end != nil {
		all = append(all, map[string]any{"type": "TERMINATING", "details": map[string]any{"reason": c.end}})
	}
	for i := range all {
		event := map[string]any{"cluster_id": id, "timestamp": 1763800000000 + int64(i)*1000}
		for key, value := range all[i] {
			event[key] = value
		}
		all[i] = event
	}
	slices.Reverse(all)
	until := min(offset+2, len(all))
	page := map[string]any{"events": all[offset:until], "total_count": len(all)}
	if until < len(all) {
		page["next_page"] = map[string]any{"cluster_id": id, "order": "DESC", "offset": until, "limit": limit}
	}
	write(w, http.StatusOK, page)
}

// list answers in pages of one.
func (s *server) list(w http.ResponseWriter, q url.Values) {
	var all []map[string]any
	for _, id := range s.order {
		if c := s.clusters[id]; c != nil {
			all = append(all, c.details(c.states[min(c.looks, len(c.states)-1)]))
		}
	}
	at, _ := strconv.Atoi(q.Get("page_token"))
	page := map[string]any{}
	if at < len(all) {
		page["clusters"] = all[at : at+1]
	}
	if at+1 < len(all) {
		page["next_page_token"] = strconv.Itoa(at + 1)
	}
	write(w, http.StatusOK, page)
}
