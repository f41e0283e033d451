package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Exporter is the way by which what an engine has built leaves it.
type Exporter string

const (
	// OCI engines send blobs into a content store of the client's.
	OCI Exporter = "oci"
	// Moby engines keep the result as an image of Docker's daemon, whose classic store knows no other way: see Save.
	Moby Exporter = "moby"
)

// Exporter says how the engine's results are to be had.
func (e *Engine) Exporter() Exporter {
	if e.daemon != nil {
		return e.daemon.exporter
	}
	return OCI
}

// daemon is Docker's API, as far as a build needs it.
type daemon struct {
	socket   string
	http     *http.Client
	version  string
	exporter Exporter
	gone     atomic.Bool // it stopped answering while it was needed
}

const (
	maxAnswer   = 8 << 20          // bytes of one JSON answer
	maxProblem  = 8 << 10          // bytes of one error message
	saveStart   = 15 * time.Minute // a daemon copies the whole image to a folder of its own before it sends the first byte
	saveStall   = 2 * time.Minute  // between two pieces of an image
	pulseEvery  = 5 * time.Second
	pulseWait   = 20 * time.Second
	pulseMisses = 3 // pings in a row that go unanswered before the daemon counts as gone
)

func newDaemon(socket string) *daemon {
	return &daemon{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, answerWait)
			defer cancel()
			return dialLocal(ctx, socket)
		},
		DisableCompression: true, MaxResponseHeaderBytes: 1 << 20, MaxIdleConns: 2, IdleConnTimeout: time.Minute,
	}}}
}

// problem is an answer of the daemon's that is not success.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return fmt.Sprintf("the daemon answers %d: %s", p.status, p.text) }

func statusOf(err error) int {
	if p := (*problem)(nil); errors.As(err, &p) {
		return p.status
	}
	return 0
}

// call asks the daemon; an answer other than success is a *problem.
func (d *daemon) call(ctx context.Context, method, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := d.http.Do(request)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // its words name a URL that nobody has written
		}
		return nil, err
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = http.StatusText(response.StatusCode)
	}
	return nil, &problem{response.StatusCode, strings.TrimSpace(said.Message)}
}

// ask reads a JSON answer.
func (d *daemon) ask(ctx context.Context, method, path string, into any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerWait, fmt.Errorf("it did not answer within %s", answerWait))
	defer cancel()
	response, err := d.call(ctx, method, path)
	if err == nil {
		defer response.Body.Close()
		var text []byte
		if text, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err == nil && into != nil {
			err = json.Unmarshal(text, into)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	return err
}

// learn finds out what kind of daemon it is.
func (d *daemon) learn(ctx context.Context) error {
	var info struct {
		ServerVersion string
		OSType        string
		DriverStatus  [][2]string
	}
	if err := d.ask(ctx, http.MethodGet, "/info", &info); err != nil {
		return err
	}
	if info.OSType != "" && info.OSType != "linux" {
		return fmt.Errorf("it runs %s containers, and only linux ones can be built", info.OSType)
	}
	d.version, d.exporter = info.ServerVersion, Moby
	if slices.Contains(info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"}) {
		d.exporter = OCI
	}
	return nil
}

// watch calls lost once the daemon does not answer any more; it ends with ctx.
func (d *daemon) watch(ctx context.Context, lost func()) {
	ticker := time.NewTicker(pulseEvery)
	defer ticker.Stop()
	for misses := 0; misses < pulseMisses; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		asking, cancel := context.WithTimeout(ctx, pulseWait)
		response, err := d.call(asking, http.MethodGet, "/_ping")
		switch misses++; {
		case err == nil:
			misses = 0
			_ = response.Body.Close()
		case isRefused(err), errors.Is(err, fs.ErrNotExist): // nobody listens: it does not only think
			misses = pulseMisses
		}
		cancel()
	}
	if ctx.Err() == nil {
		d.gone.Store(true)
		lost()
	}
}

var imageID = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// image is what the daemon tells of one of its images.
type image struct {
	RepoTags    []string
	RepoDigests []string
	RootFS      struct{ Layers []string }
}

func (d *daemon) inspect(ctx context.Context, id string) (image, error) {
	var found image
	if !imageID.MatchString(id) {
		return found, fmt.Errorf("%q is not the id of an image", id)
	}
	return found, d.ask(ctx, http.MethodGet, "/images/"+id+"/json", &found)
}

// The calls below are for images in Docker's store, and for no engine but one whose Exporter is Moby.

// Layers are the diff ids of the layers of an image in Docker's store, from the lowest up.
func (e *Engine) Layers(ctx context.Context, id string) ([]string, error) {
	found, err := e.daemon.inspect(ctx, id)
	if err != nil {
		return nil, e.imageError(ctx, "asking for the layers of", id, err)
	}
	return found.RootFS.Layers, nil
}

// Save opens the archive of an image in Docker's store, what docker save would write. Reading it fails when the daemon
// falls silent. Close it.
func (e *Engine) Save(ctx context.Context, id string) (io.ReadCloser, error) {
	if !imageID.MatchString(id) {
		return nil, fmt.Errorf("%q is not the id of an image", id)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &saved{engine: e, ctx: ctx, cancel: cancel, id: id}
	s.timer = time.AfterFunc(saveStart, func() { cancel(fmt.Errorf("no byte came within %s", saveStart)) })
	response, err := e.daemon.call(ctx, http.MethodGet, "/images/"+id+"/get")
	if err != nil {
		err = s.explain(err)
		s.stop()
		return nil, err
	}
	s.body = response.Body
	return s, nil
}

// saved is the archive while it comes.
type saved struct {
	engine *Engine
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	body   io.ReadCloser
	id     string
}

// Read reads on, for as long as the daemon sends.
func (s *saved) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if n > 0 && s.timer.Stop() {
		s.timer = time.AfterFunc(saveStall, func() { s.cancel(fmt.Errorf("nothing came for %s", saveStall)) })
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.explain(err)
	}
	return n, err
}

// Close ends the reading.
func (s *saved) Close() error {
	s.stop()
	return s.body.Close()
}

func (s *saved) stop() {
	s.timer.Stop()
	s.cancel(context.Canceled)
}

func (s *saved) explain(err error) error {
	return s.engine.imageError(s.ctx, "fetching", s.id, err)
}

// Labelled lists the images in Docker's store that bear a label.
func (e *Engine) Labelled(ctx context.Context, name, value string) ([]string, error) {
	filters, err := json.Marshal(map[string][]string{"label": {name + "=" + value}})
	if err != nil {
		return nil, err
	}
	var found []struct{ ID string }
	if err := e.daemon.ask(ctx, http.MethodGet, "/images/json?all=1&filters="+url.QueryEscape(string(filters)), &found); err != nil {
		return nil, fmt.Errorf("listing the images of %s: %w", e.reason, err)
	}
	var ids []string
	for _, one := range found {
		ids = append(ids, one.ID)
	}
	return ids, nil
}

// Remove takes an image out of Docker's store, unless something has come to need it: a tag, or a container. Its layers
// stay where the build cache or other images hold them.
func (e *Engine) Remove(ctx context.Context, id string) error {
	found, err := e.daemon.inspect(ctx, id)
	if statusOf(err) == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return e.imageError(ctx, "looking at", id, err)
	}
	// By its id Docker would remove an image along with its only tag.
	if len(found.RepoTags)+len(found.RepoDigests) > 0 {
		return nil
	}
	err = e.daemon.ask(ctx, http.MethodDelete, "/images/"+id+"?noprune=1", nil)
	switch statusOf(err) {
	case http.StatusNotFound, http.StatusConflict:
		return nil // somebody else was faster, or a container runs from it
	}
	return e.imageError(ctx, "removing", id, err)
}

// imageError says what became of a call about an image in Docker's store.
func (e *Engine) imageError(ctx context.Context, doing, id string, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	fault := &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.image", Doing: doing, Object: "the built image " + id + " in " + e.reason, Cause: err,
		Remedy: "Run again; if it happens again, see the log of Docker's daemon",
	}
	if statusOf(err) == http.StatusNotFound {
		fault.Code, fault.Cause = "engine.image-gone", errors.New("somebody has removed it meanwhile")
		fault.Remedy = "Run again, and let no docker image prune run beside a build"
	}
	return fault
}
