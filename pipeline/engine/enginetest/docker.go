package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	control "github.com/moby/buildkit/api/services/control"
	types "github.com/moby/buildkit/api/types"
	"google.golang.org/grpc"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
)

// Docker is a daemon that speaks as much of Docker's API as an engine asks for, and behaves as badly as a test wants.
// Behind its door is a BuildKit that says it is there and can build nothing. What it does with a real one is for the
// tests with a real daemon.
type Docker struct {
	Address string // unix://

	mu       sync.Mutex
	settings DockerSettings
	removed  []string
	served   *http.Server
}

// DockerSettings says what the daemon is and has.
type DockerSettings struct {
	Containerd bool   // its images are in containerd's store
	OS         string // empty: linux
	NoBuildKit bool
	Images     map[string]DockerImage // by id
}

// DockerImage is one image in the daemon's store.
type DockerImage struct {
	Tags   []string
	Labels map[string]string
	Layers []string              // diff ids
	Used   bool                  // a container runs from it
	Save   func(io.Writer) error // writes the archive
}

// NewDocker runs the daemon for the length of the test.
func NewDocker(t testing.TB, settings DockerSettings) *Docker {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	d := &Docker{Address: "unix://" + socket, settings: settings}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "OK") })
	mux.HandleFunc("GET /info", d.info)
	mux.HandleFunc("POST /grpc", d.grpc)
	mux.HandleFunc("GET /images/json", d.list)
	mux.HandleFunc("GET /images/{id}/json", d.inspect)
	mux.HandleFunc("GET /images/{id}/get", d.save)
	mux.HandleFunc("DELETE /images/{id}", d.remove)
	d.served = &http.Server{Handler: mux}
	go func() { _ = d.served.Serve(listener) }()
	t.Cleanup(d.Die)
	return d
}

// Connect opens the daemon's engine. It must not run beside other tests: the address goes by the environment.
func (d *Docker) Connect(t testing.TB) *engine.Engine {
	t.Helper()
	t.Setenv("DOCKER_HOST", d.Address)
	e, err := engine.Choose(t.Context(), engine.Choice{Address: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// Die ends the daemon as a kill would.
func (d *Docker) Die() { _ = d.served.Close() }

// Removed are the images that were removed, in order.
func (d *Docker) Removed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.removed)
}

func refuse(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": words})
}

func (d *Docker) info(w http.ResponseWriter, _ *http.Request) {
	status := [][2]string{{"Backing Filesystem", "extfs"}}
	if d.settings.Containerd {
		status = [][2]string{{"driver-type", "io.containerd.snapshotter.v1"}}
	}
	system := d.settings.OS
	if system == "" {
		system = "linux"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"ServerVersion": "99.0.0", "OSType": system, "DriverStatus": status})
}

// door is a listener for the one connection that was hijacked.
type door struct {
	conn chan net.Conn
	done chan struct{}
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case conn := <-d.conn:
		return conn, nil
	case <-d.done:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error   { return nil }
func (d *door) Addr() net.Addr { return &net.UnixAddr{Name: "docker"} }

type idle struct {
	control.UnimplementedControlServer
}

// ListWorkers says that there is a worker.
func (idle) ListWorkers(context.Context, *control.ListWorkersRequest) (*control.ListWorkersResponse, error) {
	return &control.ListWorkersResponse{Record: []*types.WorkerRecord{{ID: "fake"}}}, nil
}

func (d *Docker) grpc(w http.ResponseWriter, r *http.Request) {
	if d.settings.NoBuildKit || r.Header.Get("Upgrade") != "h2c" {
		refuse(w, http.StatusNotFound, "page not found")
		return
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	server := grpc.NewServer()
	control.RegisterControlServer(server, idle{})
	listener := &door{conn: make(chan net.Conn, 1), done: make(chan struct{})}
	listener.conn <- conn
	d.served.RegisterOnShutdown(func() { close(listener.done) })
	go func() { _ = server.Serve(listener) }()
}

func (d *Docker) find(w http.ResponseWriter, r *http.Request) (string, DockerImage, bool) {
	id := r.PathValue("id")
	d.mu.Lock()
	defer d.mu.Unlock()
	found, ok := d.settings.Images[id]
	if !ok {
		refuse(w, http.StatusNotFound, "No such image: "+id)
	}
	return id, found, ok
}

func (d *Docker) list(w http.ResponseWriter, r *http.Request) {
	var filters struct{ Label []string }
	if err := json.Unmarshal([]byte(r.URL.Query().Get("filters")), &filters); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	found := []map[string]string{}
	for id, image := range d.settings.Images {
		if !slices.ContainsFunc(filters.Label, func(want string) bool {
			name, value, _ := strings.Cut(want, "=")
			got, has := image.Labels[name]
			return !has || got != value
		}) {
			found = append(found, map[string]string{"Id": id})
		}
	}
	_ = json.NewEncoder(w).Encode(found)
}

func (d *Docker) inspect(w http.ResponseWriter, r *http.Request) {
	if id, image, ok := d.find(w, r); ok {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"Id": id, "RepoTags": image.Tags, "RootFS": map[string]any{"Type": "layers", "Layers": image.Layers},
		})
	}
}

func (d *Docker) save(w http.ResponseWriter, r *http.Request) {
	if _, image, ok := d.find(w, r); ok && image.Save(w) != nil {
		panic(http.ErrAbortHandler) // the connection breaks
	}
}

func (d *Docker) remove(w http.ResponseWriter, r *http.Request) {
	id, image, ok := d.find(w, r)
	switch {
	case !ok:
	case image.Used:
		refuse(w, http.StatusConflict, "conflict: unable to delete "+id+" (cannot be forced) - image is being used by running container")
	default:
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.settings.Images, id) // along with its only tag, as Docker does
		d.removed = append(d.removed, id)
		fmt.Fprint(w, "[]")
	}
}
