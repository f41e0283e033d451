package databricks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

const testToken = "dapi-test-token-0123456789abcdef"

// server is a workspace that follows a script. It checks every request, and what it does not expect fails the test.
type server struct {
	t    *testing.T
	http *httptest.Server

	mu        sync.Mutex
	user      map[string]any
	runtimes  []map[string]any
	nodes     []map[string]any
	conf      map[string]any
	policies  map[string]map[string]any
	pools     map[string]map[string]any
	files     map[string]string // of the workspace, by path
	clusters  map[string]*madeCluster
	order     []string
	states    [][]string                         // of the clusters to come, one list each; the last one repeats
	ends      []map[string]any                   // termination reasons of the clusters to come
	events    []map[string]any                   // of every cluster
	commands  func(language, code string) result // nil: everything prints 100
	noPython  bool                               // contexts of it fail
	tokenless bool                               // creations come without an idempotency token
	lax       bool                               // an interrupted caller may give a context up while a command is on its way
	contexts  map[string]*madeContext
	deleted   []string
	requests  []string
	scripts   map[string][]answer
	kept      *[]createBody
	token     string
	open      answer // what is answered before anybody has shown a token
	message   string // added to all state messages
}

type madeCluster struct {
	id     string
	body   createBody
	states []string
	end    map[string]any
	looks  int

	message string
}

type madeContext struct {
	cluster, language string
	gone              bool
	commands          []result
}

// result is what a command comes to; polls is how often it is still running.
type result struct {
	kind    string // text, error, table
	data    any
	schema  []map[string]any
	summary string
	cause   string
	polls   int
	status  string // of the command; empty: Finished
}

// answer replaces the usual one for one request; false: the usual one follows.
type answer func(w http.ResponseWriter, r *http.Request) bool

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

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{
		t: t, token: testToken,
		user: map[string]any{
			"userName": "ci@example.com", "active": true,
			"entitlements": []map[string]any{{"value": "workspace-access"}, {"value": "allow-cluster-create"}},
			"groups":       []map[string]any{{"display": "users"}},
		},
		runtimes: []map[string]any{
			{"key": "17.3.x-scala2.13", "name": "17.3 LTS (includes Apache Spark 4.0.0, Scala 2.13)"},
			{"key": "16.4.x-scala2.13", "name": "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.13)"},
			{"key": "16.4.x-scala2.12", "name": "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)"},
			{"key": "16.4.x-cpu-ml-scala2.12", "name": "16.4 LTS ML (includes Apache Spark 3.5.2, Scala 2.12)"},
			{"key": "15.4.x-scala2.12", "name": "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)"},
		},
		nodes: []map[string]any{
			node("m6gd.large", 2, 8<<10, 0, 1, true), node("m5.large", 2, 8<<10, 0, 0, false), node("m5d.large", 2, 8<<10, 0, 1, false),
			node("i3.xlarge", 4, 31232, 0, 1, false), node("g5.xlarge", 4, 16<<10, 1, 1, false),
		},
		conf: map[string]any{"enableDcs": "true"}, policies: map[string]map[string]any{}, pools: map[string]map[string]any{}, files: map[string]string{},
		clusters: map[string]*madeCluster{}, contexts: map[string]*madeContext{}, scripts: map[string][]answer{},
		events: []map[string]any{{"type": "CREATING"}, {"type": "RUNNING"}},
	}
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	return s
}

func node(id string, cores, memory, gpus, disks int, graviton bool) map[string]any {
	return map[string]any{
		"node_type_id": id, "instance_type_id": id, "num_cores": cores, "memory_mb": memory, "num_gpus": gpus, "is_graviton": graviton, "category": "General Purpose", "description": id,
		"node_instance_type": map[string]any{"instance_type_id": id, "local_disks": disks},
	}
}

// script has the next requests of a kind answered otherwise.
func (s *server) script(request string, answers ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[request] = append(s.scripts[request], answers...)
}

func says(status int, code, message string, headers ...string) answer {
	return func(w http.ResponseWriter, r *http.Request) bool {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		body := map[string]any{"error_code": code, "message": message}
		if strings.HasPrefix(r.URL.Path, "/api/1.2/") {
			body = map[string]any{"error": message}
		}
		write(w, status, body)
		return true
	}
}

// usual lets a request through.
func usual(http.ResponseWriter, *http.Request) bool { return false }

// lost drops the connection without an answer.
func lost(w http.ResponseWriter, _ *http.Request) bool {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
	return true
}

// doneAndLost does what was asked, and drops the connection.
func (s *server) doneAndLost(w http.ResponseWriter, r *http.Request) bool {
	s.usual(httptest.NewRecorder(), r)
	return lost(w, r)
}

// hangs never answers, until the caller has gone.
func hangs(_ http.ResponseWriter, r *http.Request) bool {
	<-r.Context().Done()
	return true
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.Method + " " + r.URL.Path
	sent, _ := io.ReadAll(r.Body) // before whoever sent it may be interrupted
	r.Body = io.NopCloser(bytes.NewReader(sent))
	s.mu.Lock()
	s.requests = append(s.requests, name)
	var next answer
	if waiting := s.scripts[name]; len(waiting) > 0 {
		next, s.scripts[name] = waiting[0], waiting[1:]
	}
	s.mu.Unlock()
	if r.URL.Path == "/.well-known/databricks-config" {
		if next != nil && next(w, r) {
			return
		}
		write(w, http.StatusOK, map[string]any{"oidc_endpoint": s.http.URL + "/oidc", "workspace_id": "4711", "host_type": "workspace"})
		return
	}
	if s.open != nil && s.open(w, r) {
		return
	}
	if got := r.Header.Get("Authorization"); got != "Bearer "+s.token {
		write(w, http.StatusUnauthorized, map[string]any{"error_code": "UNAUTHENTICATED", "message": "Credential was not sent or was of an unsupported type"})
		return
	}
	if next != nil && next(w, r) {
		return
	}
	s.usual(w, r)
}

func (s *server) usual(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	switch {
	case path == "/api/2.0/preview/scim/v2/Me":
		write(w, http.StatusOK, s.user)
	case path == "/api/2.0/workspace-conf":
		s.query(r, "keys")
		write(w, http.StatusOK, s.conf)
	case path == "/api/2.1/clusters/spark-versions":
		write(w, http.StatusOK, map[string]any{"versions": s.runtimes})
	case path == "/api/2.1/clusters/list-node-types":
		write(w, http.StatusOK, map[string]any{"node_types": s.nodes})
	case path == "/api/2.0/policies/clusters/get":
		one(w, s.policies[s.query(r, "policy_id").Get("policy_id")])
	case path == "/api/2.0/instance-pools/get":
		one(w, s.pools[s.query(r, "instance_pool_id").Get("instance_pool_id")])
	case path == "/api/2.0/workspace/export":
		q := s.query(r, "path", "format")
		s.file(w, "/Workspace"+q.Get("path"), "content")
	case path == "/api/2.0/dbfs/read":
		q := s.query(r, "path", "offset", "length")
		s.file(w, "dbfs:"+q.Get("path"), "data")
	case strings.HasPrefix(path, "/api/2.0/fs/files/"):
		text, there := s.files[strings.TrimPrefix(path, "/api/2.0/fs/files")]
		if !there {
			write(w, http.StatusNotFound, map[string]any{"error_code": "NOT_FOUND", "message": "The file being accessed is not found."})
			return
		}
		_, _ = io.WriteString(w, text)
	case strings.HasPrefix(path, "/api/2.1/clusters/"):
		s.cluster(w, r, strings.TrimPrefix(path, "/api/2.1/clusters/"))
	case strings.HasPrefix(path, "/api/1.2/"):
		s.execution(w, r, strings.TrimPrefix(path, "/api/1.2/"))
	default:
		s.t.Errorf("there is no such request: %s %s", r.Method, r.URL)
		write(w, http.StatusNotFound, map[string]any{"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found for '" + path + "'"})
	}
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

func (s *server) execution(w http.ResponseWriter, r *http.Request, what string) {
	switch what {
	case "contexts/create":
		var body struct {
			ClusterID string `json:"clusterId"`
			Language  string `json:"language"`
		}
		s.body(r, &body)
		id := fmt.Sprintf("context-%d", len(s.contexts)+1)
		s.contexts[id] = &madeContext{cluster: body.ClusterID, language: body.Language}
		write(w, http.StatusOK, map[string]any{"id": id})
	case "contexts/status":
		q := s.query(r, "clusterId", "contextId")
		c := s.contexts[q.Get("contextId")]
		status := "Running"
		if c.language == "python" && s.noPython {
			status = "Error"
		}
		write(w, http.StatusOK, map[string]any{"id": q.Get("contextId"), "status": status})
	case "contexts/destroy":
		var body struct {
			ClusterID string `json:"clusterId"`
			ContextID string `json:"contextId"`
		}
		s.body(r, &body)
		s.contexts[body.ContextID].gone = true
		write(w, http.StatusOK, map[string]any{"id": body.ContextID})
	case "commands/execute":
		var body struct {
			ClusterID string `json:"clusterId"`
			ContextID string `json:"contextId"`
			Language  string `json:"language"`
			Command   string `json:"command"`
		}
		s.body(r, &body)
		c := s.contexts[body.ContextID]
		if c == nil || c.gone && !s.lax || c.language != body.Language || c.cluster != body.ClusterID {
			s.t.Errorf("a command for the context %q of %q in %q", body.ContextID, body.ClusterID, body.Language)
		}
		done := result{kind: "text", data: "100"}
		if s.commands != nil {
			done = s.commands(body.Language, body.Command)
		}
		c.commands = append(c.commands, done)
		write(w, http.StatusOK, map[string]any{"id": strconv.Itoa(len(c.commands))})
	case "commands/status":
		q := s.query(r, "clusterId", "contextId", "commandId")
		n, _ := strconv.Atoi(q.Get("commandId"))
		done := &s.contexts[q.Get("contextId")].commands[n-1]
		if done.polls > 0 {
			done.polls--
			write(w, http.StatusOK, map[string]any{"id": q.Get("commandId"), "status": "Running"})
			return
		}
		results := map[string]any{"resultType": done.kind}
		for key, value := range map[string]any{"data": done.data, "summary": done.summary, "cause": done.cause, "schema": done.schema} {
			if value != nil && value != "" {
				results[key] = value
			}
		}
		status := done.status
		if status == "" {
			status = "Finished"
		}
		write(w, http.StatusOK, map[string]any{"id": q.Get("commandId"), "status": status, "results": results})
	case "commands/cancel":
		write(w, http.StatusOK, map[string]any{"id": "1"})
	default:
		s.t.Errorf("there is no such request: %s", r.URL)
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *server) file(w http.ResponseWriter, path, field string) {
	text, there := s.files[path]
	if !there {
		write(w, http.StatusNotFound, map[string]any{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Path (" + path + ") doesn't exist."})
		return
	}
	write(w, http.StatusOK, map[string]any{field: []byte(text)})
}

func one(w http.ResponseWriter, what map[string]any) {
	if what == nil {
		write(w, http.StatusNotFound, map[string]any{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Can't find it"})
		return
	}
	write(w, http.StatusOK, what)
}

func notThere(w http.ResponseWriter) {
	write(w, http.StatusBadRequest, map[string]any{"error_code": "INVALID_PARAMETER_VALUE", "message": "Cluster 1122 does not exist"})
}

// body decodes a request strictly.
func (s *server) body(r *http.Request, into any) {
	text, _ := io.ReadAll(r.Body)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil || r.Method != http.MethodPost {
		s.t.Errorf("%s %s: %v in %s", r.Method, r.URL.Path, err, text)
	}
}

// query are a request's parameters, of which there may be no others.
func (s *server) query(r *http.Request, known ...string) url.Values {
	q := r.URL.Query()
	for key := range q {
		if !slices.Contains(known, key) || r.Method != http.MethodGet {
			s.t.Errorf("%s %s: the parameter %s", r.Method, r.URL.Path, key)
		}
	}
	return q
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// left are the clusters that are still there.
func (s *server) left() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id := range s.clusters {
		ids = append(ids, id)
	}
	return ids
}

func (s *server) count(request string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, name := range s.requests {
		if name == request {
			n++
		}
	}
	return n
}

const testDigest = "sha256:4633bba9c2cf97e74d67a8f6f70e41765e5cf9057a5ac3dc4b8c1120dc3fd7c4"

// transport reaches the server, and nobody else; the token goes along as the SDK would read it from the environment.
func (s *server) options() Options {
	return Options{
		Settings: Settings{Host: s.http.URL, Runtime: "16.4", NodeType: Smallest, Retries: 2},
		Tag:      "registry.example.com/platform/dbr:staging-1",
		wait:     func(ctx context.Context, _ time.Duration) error { return sleep(ctx, time.Millisecond) },
	}
}

func testSpec(probes ...launch.Probe) launch.Spec {
	return launch.Spec{
		Subject: subject.Subject{Repository: "registry.example.com/platform/dbr", Digest: testDigest}, Profile: launch.Databricks, Probes: probes,
		Timeout: time.Minute, RunID: "20261122-001122-abcdef", Owner: "ci@build host",
	}
}

func python(code, contains string) launch.Probe {
	return launch.Probe{Kind: launch.Python, Code: code, Contains: contains}
}

// keepBodies adds what clusters are created from to a list, until the returned function is called.
func (s *server) keepBodies(to *[]createBody) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = to
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.kept = nil
	}
}

// before has something done when the first request of a kind comes, before it is answered.
func (s *server) before(request string, do func()) {
	s.script(request, func(http.ResponseWriter, *http.Request) bool { do(); return false })
}

// doneAndLostQuietly does what was asked, and keeps the answer.
func (s *server) doneAndLostQuietly(r *http.Request) { s.usual(httptest.NewRecorder(), r) }
