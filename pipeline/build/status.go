package build

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

const (
	tailLines = 20      // kept of each step, for the message of a failing one
	maxLine   = 8 << 10 // a longer line is shown in pieces
)

// watcher translates BuildKit's status into progress events, and remembers the last lines of each step.
type watcher struct {
	mu       sync.Mutex
	vertices map[digest.Digest]*vertex
	own      map[digest.Digest]bool        // what this build consists of; nil: unknown
	lineOf   func(digest.Digest) lineRange // the Dockerfile's lines of a step
}

// vertex is one node of the build graph, as people see it.
type vertex struct {
	name     string
	task     *progress.Task
	ended    bool
	done     bool // ended, and well
	cached   bool
	failure  string // what the engine said of its end
	partial  []byte // output after the last line end
	tail     []string
	statuses map[string][2]int64 // current and total of each transfer
}

func newWatcher(w *witness) *watcher {
	return &watcher{vertices: map[digest.Digest]*vertex{}, lineOf: w.lineOf}
}

// watch reads status until it is closed.
func (w *watcher) watch(ctx context.Context, status <-chan *client.SolveStatus) {
	for update := range status {
		w.mu.Lock()
		for _, v := range update.Vertexes {
			w.vertex(ctx, v)
		}
		for _, s := range update.Statuses {
			w.transfer(s)
		}
		for _, l := range update.Logs {
			if v := w.vertices[l.Vertex]; v != nil {
				v.write(l.Data)
			}
		}
		for _, warning := range update.Warnings {
			progress.From(ctx).Warnf("%s", secret.Redact(string(warning.Short)))
		}
		w.mu.Unlock()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.vertices {
		v.end(errors.New("not finished"))
	}
}

func (w *watcher) vertex(ctx context.Context, v *client.Vertex) {
	known := w.vertices[v.Digest]
	if known == nil {
		known = &vertex{name: secret.Redact(v.Name), statuses: map[string][2]int64{}}
		w.vertices[v.Digest] = known
	}
	if v.Cached {
		known.cached = true
	}
	if v.Started != nil && known.task == nil && !known.ended {
		_, known.task = progress.Start(ctx, "%s", known.name)
	}
	if v.Completed != nil {
		var err error
		if v.Error != "" {
			known.failure = v.Error
			err = errors.New(secret.Redact(v.Error))
		}
		known.end(err)
	}
}

func (w *watcher) transfer(s *client.VertexStatus) {
	v := w.vertices[s.Vertex]
	if v == nil || v.ended {
		return
	}
	v.statuses[s.ID] = [2]int64{s.Current, s.Total}
	var current, total int64
	for _, one := range v.statuses {
		current, total = current+one[0], total+one[1]
	}
	v.task.Advance(current, total)
}

// write takes output as it comes and passes it on by lines: a secret that arrives in two pieces would be masked in
// neither.
func (v *vertex) write(data []byte) {
	v.partial = append(v.partial, data...)
	for {
		end := bytes.IndexAny(v.partial, "\r\n")
		if end < 0 && len(v.partial) < maxLine {
			return
		}
		if end < 0 {
			end = len(v.partial) - 1
		}
		v.line(string(v.partial[:end+1]))
		v.partial = v.partial[end+1:]
	}
}

func (v *vertex) line(text string) {
	text = secret.Redact(text)
	_, _ = v.task.Write([]byte(text))
	if text = strings.TrimRight(text, "\r\n"); strings.TrimSpace(text) != "" {
		v.tail = append(v.tail, text)
		if len(v.tail) > tailLines {
			v.tail = v.tail[1:]
		}
	}
}

func (v *vertex) end(err error) {
	if v.ended {
		return
	}
	v.ended, v.done = true, err == nil
	if len(v.partial) > 0 {
		v.line(string(v.partial) + "\n")
		v.partial = nil
	}
	if err == nil && v.cached {
		v.task.EndCached()
		return
	}
	v.task.End(err)
}

// tailOf is the last output of the step with the given digest.
func (w *watcher) tailOf(id digest.Digest) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.vertices[id]; v != nil {
		return v.tail
	}
	return nil
}

// isDone says whether the step with the given digest has ended well.
func (w *watcher) isDone(id digest.Digest) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.vertices[id]
	return v != nil && v.done
}

// expect tells which steps are this build's. An engine that others use too tells of a step of theirs that is the same as
// one of ours, under both names.
func (w *watcher) expect(graphs []*chain) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, graph := range graphs {
		for id := range graph.ops {
			if w.own == nil {
				w.own = map[digest.Digest]bool{}
			}
			w.own[id] = true
		}
	}
}

// counts says how many of the Dockerfile's steps there were, and how many were answered from the cache.
func (w *watcher) counts() (cached, total int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, v := range w.vertices {
		if !strings.HasPrefix(v.name, "[") || strings.HasPrefix(v.name, "[internal]") || strings.HasPrefix(v.name, "[auth]") || strings.HasPrefix(v.name, "[context ") {
			continue
		}
		if w.own != nil && !w.own[id] {
			continue
		}
		total++
		if v.cached {
			cached++
		}
	}
	return cached, total
}
