// Package progress carries what a run is doing from the rooms that do it to whoever shows it.
//
// Rooms take the reporter from the context and tell it of tasks; they never print. The reporter's display is
// chosen at the top: a live board, plain lines, JSON, or nothing.
package progress

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Kind says what an Event tells of its task.
type Kind string

const (
	Started  Kind = "started"
	Advanced Kind = "advanced" // Current and Total moved
	Logged   Kind = "log"      // Text holds output, possibly several lines, possibly a part of one
	Noted    Kind = "note"     // Text holds one sentence for people: a choice and its reason
	Warned   Kind = "warning"  // Text holds one sentence that people should not miss
	Skipped  Kind = "skipped"  // the task need not be done; Text says why
	Ended    Kind = "ended"    // Err is empty on success
)

// Event is one thing that happened to one task.
type Event struct {
	Time    time.Time     `json:"time"`
	Kind    Kind          `json:"kind"`
	Task    uint64        `json:"task"`
	Parent  uint64        `json:"parent,omitempty"` // 0: a step of the pipeline
	Step    string        `json:"step"`             // build, check, scan, upload, stage, launch, promote, …
	Name    string        `json:"name"`             // what people read: "[2/7] RUN apt-get install …"
	Text    string        `json:"text,omitempty"`
	Current int64         `json:"current,omitempty"`
	Total   int64         `json:"total,omitempty"` // 0: unknown
	Cached  bool          `json:"cached,omitempty"`
	Elapsed time.Duration `json:"elapsed_ns,omitempty"`
	Err     string        `json:"error,omitempty"`
}

// Sink receives events. It must be safe for concurrent use and must not block for long.
type Sink interface{ Event(Event) }

type contextKey struct{}

// With returns a context whose tasks report to sink.
func With(ctx context.Context, sink Sink) context.Context {
	return context.WithValue(ctx, contextKey{}, &Task{sink: sink})
}

// Tee returns a context whose further tasks report to extra besides whoever watches already.
func Tee(ctx context.Context, extra Sink) context.Context {
	above := From(ctx)
	if above == nil {
		return With(ctx, extra)
	}
	task := *above
	task.sink = both{above.sink, extra}
	return context.WithValue(ctx, contextKey{}, &task)
}

type both [2]Sink

func (b both) Event(event Event) {
	b[0].Event(event)
	b[1].Event(event)
}

// Task is something under way that people may want to watch. A nil *Task is valid and silent.
type Task struct {
	sink    Sink
	id      uint64
	parent  uint64
	step    string
	name    string
	started time.Time
}

var lastID atomic.Uint64

// Start begins a task below the one in ctx, and returns a context in which further tasks stand below it.
// The first task below the sink is a step: its name becomes the Step of everything under it.
func Start(ctx context.Context, format string, args ...any) (context.Context, *Task) {
	above, _ := ctx.Value(contextKey{}).(*Task)
	if above == nil {
		return ctx, nil
	}
	task := &Task{
		sink: above.sink, id: lastID.Add(1), parent: above.id, step: above.step,
		name: fmt.Sprintf(format, args...), started: time.Now(),
	}
	if task.step == "" {
		task.step = task.name
	}
	task.send(Event{Kind: Started})
	return context.WithValue(ctx, contextKey{}, task), task
}

// From returns the task that ctx stands in, to log or note on; nil when nobody watches.
func From(ctx context.Context) *Task {
	task, _ := ctx.Value(contextKey{}).(*Task)
	return task
}

// Advance tells how far the task is; total 0 means unknown.
func (t *Task) Advance(current, total int64) {
	t.send(Event{Kind: Advanced, Current: current, Total: total})
}

// Write logs output of the task; it never fails.
func (t *Task) Write(p []byte) (int, error) {
	t.send(Event{Kind: Logged, Text: string(p)})
	return len(p), nil
}

// Notef tells people a choice and its reason.
func (t *Task) Notef(format string, args ...any) {
	t.send(Event{Kind: Noted, Text: fmt.Sprintf(format, args...)})
}

// Warnf tells people what they should not miss.
func (t *Task) Warnf(format string, args ...any) {
	t.send(Event{Kind: Warned, Text: fmt.Sprintf(format, args...)})
}

// Skip ends the task as not needed, and says why.
func (t *Task) Skip(format string, args ...any) {
	t.send(Event{Kind: Skipped, Text: fmt.Sprintf(format, args...)})
}

// End ends the task; err nil is success.
func (t *Task) End(err error) {
	event := Event{Kind: Ended}
	if err != nil {
		event.Err = err.Error()
	}
	t.send(event)
}

// EndCached ends the task as answered from a cache.
func (t *Task) EndCached() { t.send(Event{Kind: Ended, Cached: true}) }

func (t *Task) send(event Event) {
	if t == nil || t.sink == nil {
		return
	}
	event.Time, event.Task, event.Parent, event.Step, event.Name = time.Now(), t.id, t.parent, t.step, t.name
	if event.Kind == Ended || event.Kind == Skipped {
		event.Elapsed = event.Time.Sub(t.started)
	}
	t.sink.Event(event)
}
