package emulator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeMachine starts nothing, and can fail in all the ways that a machine does.
type fakeMachine struct {
	mu       sync.Mutex
	launches []Launch
	nodes    []*fakeNode
	stopped  int

	err     error // of Start, after the stages
	hang    bool  // Start waits for its context
	failAt  int   // which script fails, from 1; 0: none
	slow    time.Duration
	cannot  error // of Stop
	closing int   // sessions that were closed
}

func (m *fakeMachine) Start(ctx context.Context, l Launch, progress func(Progress)) (Node, error) {
	m.mu.Lock()
	m.launches = append(m.launches, l)
	m.mu.Unlock()
	if m.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case <-time.After(m.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	progress(Progress{Stage: Pulled})
	var results []ScriptResult
	if len(l.Scripts) > 0 {
		progress(Progress{Stage: Scripting})
	}
	for i, script := range l.Scripts {
		result := ScriptResult{Name: script.Name, Elapsed: 1500 * time.Millisecond}
		if i+1 == m.failAt {
			result.ExitCode, result.Stderr = 9, "no such setting: colour"
			return nil, &Ended{Code: "INIT_SCRIPT_FAILURE", Type: "CLIENT_ERROR", Parameters: map[string]string{messageParameter: "it failed"}, Scripts: append(results, result)}
		}
		results = append(results, result)
	}
	progress(Progress{Stage: Driving, Scripts: results})
	if m.err != nil {
		return nil, m.err
	}
	node := &fakeNode{machine: m, gone: make(chan struct{})}
	m.mu.Lock()
	m.nodes = append(m.nodes, node)
	m.mu.Unlock()
	return node, nil
}

// last is what was launched last.
func (m *fakeMachine) last(t *testing.T) Launch {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.launches) == 0 {
		t.Fatal("nothing was launched")
	}
	return m.launches[len(m.launches)-1]
}

func (m *fakeMachine) counts() (nodes, stopped, closed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.nodes), m.stopped, m.closing
}

type fakeNode struct {
	machine *fakeMachine
	gone    chan struct{}
	files   map[string]string
	mu      sync.Mutex
}

func (n *fakeNode) Session(language string) Session {
	return &fakeSession{node: n, language: language, values: map[string]string{}}
}
func (n *fakeNode) Gone() <-chan struct{} { return n.gone }
func (n *fakeNode) Why() string           { return "the memory limit killed it" }
func (n *fakeNode) Logs() Logs {
	return Logs{Stdout: "the driver's log\n", Stderr: "a warning\n", Log4j: "25/11/22 00:00:00 INFO SparkContext: up\n"}
}

func (n *fakeNode) Put(_ context.Context, path string, body []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.files == nil {
		n.files = map[string]string{}
	}
	n.files[path] = string(body)
	return nil
}

func (n *fakeNode) Stop(context.Context) error {
	n.machine.mu.Lock()
	defer n.machine.mu.Unlock()
	n.machine.stopped++
	return n.machine.cannot
}

// fakeSession understands: set KEY VALUE, get KEY, table, fail TEXT, sleep, break.
type fakeSession struct {
	node     *fakeNode
	language string
	values   map[string]string
}

func (s *fakeSession) Able(language string) error {
	if language == "r" {
		return errors.New("there is no R")
	}
	return nil
}

func (s *fakeSession) Run(ctx context.Context, language, code string) (Answer, error) {
	words := strings.Fields(code)
	switch words[0] {
	case "set":
		s.values[words[1]] = words[2]
		return Answer{Kind: "text"}, nil
	case "get":
		return Answer{Kind: "text", Text: fmt.Sprintf("%s in %s", s.values[words[1]], language)}, nil
	case "table":
		return Answer{Kind: "table", Rows: [][]any{{4950, "a"}}, Schema: []Column{{"total", `"long"`}, {"letter", `"string"`}}}, nil
	case "fail":
		return Answer{Kind: "error", Text: "Traceback\n" + words[1], Summary: words[1]}, nil
	case "sleep":
		<-ctx.Done()
		return Answer{}, ctx.Err()
	default:
		return Answer{}, errors.New("the interpreter cannot be started")
	}
}

func (s *fakeSession) Close(context.Context) error {
	s.node.machine.mu.Lock()
	defer s.node.machine.mu.Unlock()
	s.node.machine.closing++
	return nil
}
