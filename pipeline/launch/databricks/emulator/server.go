package emulator

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Options say what the workspace is like. The zero value of each field is a usable default.
type Options struct {
	// Machine runs the clusters; nil: they are states and events only.
	Machine Machine
	// Token is a personal access token that is let in; empty: a new one, see Server.Token.
	Token string
	// ClientID and ClientSecret are a service principal's, for OAuth; empty: none.
	ClientID, ClientSecret string
	// Federation lets the service principal in without a secret.
	Federation Federation
	// User is who owns the token; empty: DefaultUser.
	User string
	// Cloud is aws, azure or gcp, and decides the node types; empty: aws.
	Cloud string
	// CannotCreate takes the right to create clusters from the user, NoContainers the workspace's container services.
	CannotCreate, NoContainers bool
	// Pace is how long a cluster stays in PENDING and in TERMINATING at least; 0: as long as its machine needs.
	Pace time.Duration
	// Log is told of each request, without its body; nil: nobody.
	Log func(line string)
}

// DefaultUser owns what is made with the default token.
const DefaultUser = "hallmark@example.com"

// Server is the workspace. Close it: clusters may be running.
type Server struct {
	options Options
	mux     *http.ServeMux
	ctx     context.Context
	cancel  context.CancelFunc
	living  sync.WaitGroup // of clusters
	started time.Time
	issuer  issuer

	mu       sync.Mutex
	tokens   map[string]credential // by their values
	clusters map[string]*cluster
	order    []string          // ids of clusters, oldest first
	replies  map[string]string // idempotency tokens, and the clusters that were made for them
	next     []Next
	faults   []*Fault
	settings map[string]string
	scopes   map[string]*scope
	files    *files
	policies map[string]policy
	pools    map[string]pool
	grants   map[string]map[grantee]string // by the path of the object
	deleted  int
	lives    int // of clusters, those of deleted ones included
	inMinute time.Duration
}

// New returns a workspace.
func New(options Options) (*Server, error) {
	if options.Token == "" {
		options.Token = "dapi" + strings.ToLower(rand.Text())
	}
	if options.User == "" {
		options.User = DefaultUser
	}
	if options.Cloud == "" {
		options.Cloud = "aws"
	}
	if _, known := nodeTypes[options.Cloud]; !known {
		return nil, fmt.Errorf("the cloud %q is none of aws, azure and gcp", options.Cloud)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		options: options, ctx: ctx, cancel: cancel, started: time.Now(),
		tokens: map[string]credential{options.Token: {}}, clusters: map[string]*cluster{}, replies: map[string]string{},
		settings: map[string]string{"enableDcs": fmt.Sprint(!options.NoContainers)}, scopes: map[string]*scope{},
		files: newFiles(options.User), policies: defaultPolicies(), pools: map[string]pool{}, grants: map[string]map[grantee]string{}, inMinute: time.Minute,
	}
	s.routes()
	return s, nil
}

// Token is the personal access token that is let in.
func (s *Server) Token() string { return s.options.Token }

// Close ends all clusters and waits for them.
func (s *Server) Close(ctx context.Context) error {
	s.cancel()
	done := make(chan struct{})
	go func() {
		s.living.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the emulator's clusters to end: %w", ctx.Err())
	}
}

// maxBody bounds a request's body: a file that is uploaded in one piece is the largest.
const maxBody = 32 << 20

// request is one call, with its body read.
type request struct {
	*http.Request
	body []byte
}

// handler answers a call with a body, or an *apiError.
type handler func(r *request) (any, error)

// raw is an answer that is no JSON.
type raw struct {
	mime string
	body []byte
}

// stored is a file, with the time of its last change; parts of it can be asked for.
type stored struct {
	raw
	at time.Time
}

// nothing is an answer without a body; a status of 0 is 204.
type nothing struct{ status int }

// ServeHTTP is the workspace's front door.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Request-Id", id)
	if s.options.Log != nil {
		s.options.Log(fmt.Sprintf("%s %s", r.Method, r.URL.Path))
	}
	connection := http.NewResponseController(w) // one that has no deadlines, a test's, does without
	_ = connection.SetReadDeadline(time.Now().Add(bodyWithin))
	body, refused := s.body(w, r)
	if refused != nil {
		w.Header().Set("Connection", "close") // what comes yet is not read
		refused.write(w, r.URL.Path, id)
		return
	}
	_ = connection.SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(body))
	after, answered := s.fault(w, r, id)
	if answered {
		return
	}
	_ = connection.SetWriteDeadline(time.Now().Add(answerWithin))
	s.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), bodyKey{}, &request{Request: r, body: body})))
	if after {
		panic(http.ErrAbortHandler) // what was answered is not sent: the connection breaks
	}
}

// How long a client may take to send a request's body, and to take the answer.
const (
	bodyWithin   = time.Minute
	answerWithin = 5 * time.Minute
)

// body reads a request's body. That of a caller who is not let in is left where it is.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, *apiError) {
	if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, adminPath) {
		if s.letIn(r) != nil { // the call's own handler says so
			if r.ContentLength != 0 {
				w.Header().Set("Connection", "close")
			}
			return nil, nil
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refuse(http.StatusRequestEntityTooLarge, "MAX_REQUEST_SIZE_EXCEEDED", "The request is larger than %d bytes", maxBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, "REQUEST_TIMEOUT", "The request's body did not come within %s", bodyWithin)
	case err != nil:
		return nil, malformed("Could not read the request: %v", err)
	}
	return body, nil
}

type bodyKey struct{}

// handle registers an API call: "POST /api/2.1/clusters/create".
func (s *Server) handle(pattern string, h handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		req, _ := r.Context().Value(bodyKey{}).(*request)
		req.Request = r // with the pattern's parts
		id := w.Header().Get("X-Request-Id")
		err := s.letIn(r)
		var answer any
		if err == nil {
			answer, err = h(req)
		}
		var refused *apiError
		switch {
		case errors.As(err, &refused):
			refused.write(w, r.URL.Path, id)
		case errors.Is(err, errDrop):
			panic(http.ErrAbortHandler)
		case err != nil:
			refuse(http.StatusInternalServerError, "INTERNAL_ERROR", "%v", err).write(w, r.URL.Path, id)
		default:
			give(w, r, answer)
		}
	})
}

// give writes an answer in its form.
func give(w http.ResponseWriter, r *http.Request, answer any) {
	switch answer := answer.(type) {
	case raw:
		w.Header().Set("Content-Type", answer.mime)
		_, _ = w.Write(answer.body)
	case stored:
		w.Header().Set("Content-Type", answer.mime)
		http.ServeContent(w, r, "", answer.at, bytes.NewReader(answer.body))
	case nothing:
		w.WriteHeader(cmp.Or(answer.status, http.StatusNoContent))
	case nil:
		writeJSON(w, http.StatusOK, map[string]any{})
	default:
		writeJSON(w, http.StatusOK, answer)
	}
}

// errDrop breaks the connection without an answer.
var errDrop = errors.New("the connection is dropped")

// notFound is what the platform's gateway says of paths that nobody serves.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	if s.options.Log != nil {
		s.options.Log(fmt.Sprintf("%s %s: the emulator has no such API", r.Method, r.URL.Path))
	}
	path := strings.TrimPrefix(r.URL.Path, "/api/2.0")
	refuse(http.StatusNotFound, "ENDPOINT_NOT_FOUND", "No API found for '%s %s'; the emulator serves what docs/emulator.md lists", r.Method, path).write(w, r.URL.Path, w.Header().Get("X-Request-Id"))
}

// decode reads a JSON object strictly: a field that to does not have is refused.
func decode(body []byte, to any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return malformed("Could not parse request object: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return malformed("Could not parse request object: something follows the object")
	}
	return nil
}

func requestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
