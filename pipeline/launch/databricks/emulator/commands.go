package emulator

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
)

// languages of contexts and commands.
var languages = []string{"python", "scala", "sql", "r"}

// Statuses of contexts and commands.
const (
	ctxPending, ctxRunning, ctxError = "Pending", "Running", "Error"

	queued, busy, cancelling = "Queued", "Running", "Cancelling"
	finished, cancelled      = "Finished", "Cancelled"
)

// execContext is an execution context. What stands in it belongs to whoever holds the server's lock.
type execContext struct {
	id, language string
	status       string
	session      Session // nil: there is no machine
	life         *life
	commands     map[string]*command
	order        []*command
	ctx          context.Context
	cancel       context.CancelFunc
}

type command struct {
	id      string
	status  string
	results *results
	cancel  context.CancelFunc
	over    chan struct{}
}

// results is what a command came to, as commands/status shows it.
type results struct {
	ResultType   string           `json:"resultType,omitempty"`
	Data         any              `json:"data,omitempty"`
	Cause        string           `json:"cause,omitempty"`
	Summary      string           `json:"summary,omitempty"`
	FileName     string           `json:"fileName,omitempty"`
	Schema       []map[string]any `json:"schema,omitempty"`
	Truncated    bool             `json:"truncated,omitempty"`
	IsJSONSchema bool             `json:"isJsonSchema,omitempty"`
}

// call is the body, or the query, of the calls of API 1.2.
type call struct {
	ClusterID string `json:"clusterId"`
	ContextID string `json:"contextId,omitempty"`
	CommandID string `json:"commandId,omitempty"`
	Language  string `json:"language,omitempty"`
	Command   string `json:"command,omitempty"`
}

// callAsked reads a call of API 1.2.
func callAsked(r *request) (call, error) {
	if r.Method == http.MethodGet {
		query := r.URL.Query()
		return call{ClusterID: query.Get("clusterId"), ContextID: query.Get("contextId"), CommandID: query.Get("commandId")}, nil
	}
	return inBody[call](r)
}

// ready is the cluster of a call, if it can run commands; the lock is held.
func (s *Server) ready(id string) (*cluster, error) {
	c, known := s.clusters[id]
	switch {
	case !known:
		return nil, refuse(http.StatusNotFound, "", "ClusterNotFoundException: Cluster not found: %s", id)
	case c.state == pending || c.state == restarting:
		return nil, refuse(http.StatusBadRequest, "", "ClusterNotReadyException: Cluster %s is not ready: it is %s", id, c.state)
	case !c.up():
		return nil, refuse(http.StatusBadRequest, "", "ClusterTerminatedException: Cluster %s is not running: it is %s", id, c.state)
	}
	c.lastUsed = time.Now()
	return c, nil
}

// context is the one of a call, whatever state its cluster is in; the lock is held.
func (s *Server) context(asked call) (*execContext, error) {
	c, known := s.clusters[asked.ClusterID]
	if !known {
		return nil, refuse(http.StatusNotFound, "", "ClusterNotFoundException: Cluster not found: %s", asked.ClusterID)
	}
	return c.context(asked.ContextID)
}

func (c *cluster) context(id string) (*execContext, error) {
	e, known := c.contexts[id]
	if !known {
		return nil, refuse(http.StatusNotFound, "", "ContextNotFound: there is no execution context %s on the cluster %s", id, c.id)
	}
	return e, nil
}

func (s *Server) createContext(asked call) (any, error) {
	if !slices.Contains(languages, asked.Language) {
		return nil, refuse(http.StatusBadRequest, "", "Unknown language: %q is none of %s", asked.Language, strings.Join(languages, ", "))
	}
	c, err := s.ready(asked.ClusterID)
	if err != nil {
		return nil, err
	}
	if len(c.contexts) >= mostContexts {
		return nil, refuse(http.StatusBadRequest, "", "ContextLimitExceeded: the cluster %s has %d execution contexts", c.id, mostContexts)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	e := &execContext{id: strconv.FormatInt(time.Now().UnixNano(), 10), language: asked.Language, status: ctxPending, commands: map[string]*command{}, ctx: ctx, cancel: cancel}
	if c.life != nil && c.life.node != nil {
		e.session, e.life = c.life.node.Session(asked.Language), c.life
	}
	c.contexts[e.id] = e
	return map[string]string{"id": e.id}, nil
}

// mostContexts is the platform's limit for one cluster.
const mostContexts = 145

func (s *Server) contextStatus(asked call) (any, error) {
	e, err := s.context(asked)
	if err != nil {
		return nil, err
	}
	status := e.status
	if status == ctxPending { // whoever asks sees it once
		e.status = ctxRunning
		if e.session != nil && e.session.Able(e.language) != nil {
			e.status = ctxError
		}
	}
	return map[string]string{"id": e.id, "status": status}, nil
}

func (s *Server) destroyContext(asked call) (any, error) {
	c, err := s.ready(asked.ClusterID)
	if err != nil {
		return nil, err
	}
	e, err := c.context(asked.ContextID)
	if err != nil {
		return nil, err
	}
	delete(c.contexts, e.id)
	e.lost()
	if e.session != nil {
		s.living.Add(1)
		go func() {
			defer s.living.Done()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), stopWithin)
			defer cancel()
			_ = e.session.Close(ctx)
		}()
	}
	return map[string]string{"id": e.id}, nil
}

// execute puts a command into its context's queue.
func (s *Server) execute(asked call) (any, error) {
	c, err := s.ready(asked.ClusterID)
	if err != nil {
		return nil, err
	}
	e, err := c.context(asked.ContextID)
	if err != nil {
		return nil, err
	}
	if asked.Language == "" {
		asked.Language = e.language
	}
	if !slices.Contains(languages, asked.Language) {
		return nil, refuse(http.StatusBadRequest, "", "Unknown language: %q is none of %s", asked.Language, strings.Join(languages, ", "))
	}
	e.status = ctxRunning
	ctx, cancel := context.WithCancel(e.ctx)
	one := &command{id: strings.ReplaceAll(requestID(), "-", ""), status: queued, cancel: cancel, over: make(chan struct{})}
	var before <-chan struct{} = closed
	if len(e.order) > 0 {
		before = e.order[len(e.order)-1].over
	}
	e.commands[one.id], e.order = one, append(e.order, one)
	if oldest := e.order[0]; len(e.order) > mostCommands && oldest.results != nil {
		delete(e.commands, oldest.id)
		e.order = e.order[1:]
	}
	s.living.Add(1)
	go s.run(ctx, before, c, e, one, asked.Language, asked.Command)
	return map[string]string{"id": one.id}, nil
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// mostCommands is how many of a context's commands are remembered, with their results.
const mostCommands = 1000

// run waits until the command before is over, and runs this one.
func (s *Server) run(ctx context.Context, before <-chan struct{}, c *cluster, e *execContext, one *command, language, code string) {
	defer s.living.Done()
	defer close(one.over)
	defer one.cancel()
	select {
	case <-before:
	case <-ctx.Done():
		s.settle(one, nil, ctx.Err())
		return
	}
	s.mu.Lock()
	if one.status == queued {
		one.status = busy
	}
	session, slow := e.session, time.Duration(c.next.SlowCommands)
	s.mu.Unlock()
	_ = pause.For(ctx, slow)
	if session == nil {
		s.settle(one, &results{ResultType: "error", Summary: noMachine, Cause: noMachine}, ctx.Err())
		return
	}
	err := s.sync(ctx, e.life)
	var answer Answer
	if err == nil {
		answer, err = session.Run(ctx, language, code)
	}
	if ctx.Err() != nil {
		s.settle(one, nil, ctx.Err())
		return
	}
	if err != nil {
		answer = Answer{Kind: "error", Text: err.Error(), Summary: err.Error()}
	}
	s.mu.Lock()
	c.lastUsed = time.Now()
	s.mu.Unlock()
	s.settle(one, answer.results(), nil)
}

const noMachine = "EmulatorError: this cluster has no machine (the emulator was started without launches, or the cluster has no docker_image), so no command is run"

// settle writes down how a command ended.
func (s *Server) settle(one *command, r *results, interrupted error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if interrupted != nil || one.status == cancelling {
		if one.status != ctxError {
			one.status = cancelled
		}
		return
	}
	one.status, one.results = finished, r
}

func (a Answer) results() *results {
	r := &results{ResultType: a.Kind, Truncated: a.Truncated}
	switch a.Kind {
	case "table":
		rows := a.Rows
		if rows == nil {
			rows = [][]any{}
		}
		r.Data, r.IsJSONSchema = rows, true
		for _, column := range a.Schema {
			r.Schema = append(r.Schema, map[string]any{"name": column.Name, "type": column.Type, "metadata": "{}"})
		}
	case "error":
		r.Cause, r.Summary = a.Text, a.Summary
	case "image":
		r.FileName = a.Text
	default:
		r.ResultType, r.Data = "text", a.Text
	}
	return r
}

func (s *Server) commandStatus(asked call) (any, error) {
	one, err := s.command(asked)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": one.id, "status": one.status, "results": one.results}, nil
}

func (s *Server) command(asked call) (*command, error) {
	e, err := s.context(asked)
	if err != nil {
		return nil, err
	}
	one, known := e.commands[asked.CommandID]
	if !known {
		return nil, refuse(http.StatusNotFound, "", "CommandNotFound: there is no command %s in the context %s", asked.CommandID, e.id)
	}
	return one, nil
}

func (s *Server) cancelCommand(asked call) (any, error) {
	one, err := s.command(asked)
	if err != nil {
		return nil, err
	}
	if one.status == queued || one.status == busy {
		one.status = cancelling
		one.cancel()
	}
	return map[string]string{"id": one.id}, nil
}

// lost ends the context with all that runs in it; the server's lock is held.
func (e *execContext) lost() {
	e.status = ctxError
	for _, one := range e.order {
		if one.status == queued || one.status == busy {
			one.status = ctxError
			one.results = &results{ResultType: "error", Summary: contextLost, Cause: contextLost}
		}
	}
	e.cancel()
}

const contextLost = "The execution context is gone: the driver was lost, the cluster terminated, or the context was destroyed"

// busy says that a command waits or runs.
func (e *execContext) busy() bool {
	return slices.ContainsFunc(e.order, func(one *command) bool { return one.status == queued || one.status == busy })
}
