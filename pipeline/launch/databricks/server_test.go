package databricks

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
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
	files     map[string]string    // of the workspace, by path
	written   map[string]time.Time // when they were; not named: long ago
	rangeless bool                 // volumes' files come as a whole, whatever part is asked for
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
		conf: map[string]any{"enableDcs": "true"}, policies: map[string]map[string]any{}, pools: map[string]map[string]any{}, files: map[string]string{}, written: map[string]time.Time{},
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
		s.block(w, s.query(r, "path", "offset", "length"))
	case path == "/api/2.0/dbfs/list":
		s.dbfsFolder(w, s.query(r, "path").Get("path"))
	case strings.HasPrefix(path, "/api/2.0/fs/files/"):
		text, there := s.files[strings.TrimPrefix(path, "/api/2.0/fs/files")]
		if !there {
			write(w, http.StatusNotFound, map[string]any{"error_code": "NOT_FOUND", "message": "The file being accessed is not found."})
			return
		}
		if s.rangeless {
			r.Header.Del("Range")
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
	case strings.HasPrefix(path, "/api/2.0/fs/directories/"):
		s.volumeFolder(w, strings.TrimPrefix(path, "/api/2.0/fs/directories"), s.query(r, "page_token").Get("page_token"))
	case strings.HasPrefix(path, "/api/2.1/clusters/"):
		s.cluster(w, r, strings.TrimPrefix(path, "/api/2.1/clusters/"))
	case strings.HasPrefix(path, "/api/1.2/"):
		s.execution(w, r, strings.TrimPrefix(path, "/api/1.2/"))
	default:
		s.t.Errorf("there is no such request: %s %s", r.Method, r.URL)
		write(w, http.StatusNotFound, map[string]any{"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found for '" + path + "'"})
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
