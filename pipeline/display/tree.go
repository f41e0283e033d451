package display

import (
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// Bounds on what the live board remembers.
const (
	keptLines = 24   // of a task's output
	keptDone  = 8    // ended tasks of a step
	maxTasks  = 4096 // tasks at once; more are counted, not shown
)

// state is what became of a task.
type state int

const (
	running state = iota
	done
	cached
	skipped
	failed
)

// node is a task as the live board knows it.
type node struct {
	id      uint64
	name    string
	state   state
	started time.Time
	elapsed time.Duration
	current int64
	total   int64
	said    string   // the last note, the reason of a skip, the error
	tail    []string // the last lines of output
	inner   []*node  // tasks inside it, in the order of their starts
	parent  *node
	begun   int // tasks ever started below it, at any depth
	ended   int
}

// tree is the steps and the tasks inside them.
type tree struct {
	steps []*node
	byID  map[uint64]*node
}

func newTree() *tree { return &tree{byID: map[uint64]*node{}} }

// apply takes one event in and returns its task, nil where it has none.
func (t *tree) apply(e progress.Event) *node {
	n := t.byID[e.Task]
	switch e.Kind {
	case progress.Started:
		if len(t.byID) >= maxTasks {
			return nil
		}
		n = &node{id: e.Task, name: foreign.Line(e.Name), started: e.Time, parent: t.byID[e.Parent]}
		t.byID[e.Task] = n
		if n.parent == nil {
			t.steps = append(t.steps, n)
			break
		}
		n.parent.inner = append(n.parent.inner, n)
		for up := n.parent; up != nil; up = up.parent {
			up.begun++
		}
	case progress.Advanced:
		if n != nil {
			n.current, n.total = e.Current, e.Total
		}
	case progress.Logged:
		if n != nil {
			n.tail = append(n.tail, foreign.Lines(e.Text)...)
			n.tail = n.tail[max(0, len(n.tail)-keptLines):]
		}
	case progress.Noted:
		if n != nil {
			n.said = foreign.Line(e.Text)
		}
	case progress.Skipped:
		t.end(n, e, skipped, e.Text)
	case progress.Ended:
		switch {
		case e.Err != "":
			t.end(n, e, failed, e.Err)
		case e.Cached:
			t.end(n, e, cached, "")
		default:
			t.end(n, e, done, "")
		}
	}
	return n
}

func (t *tree) end(n *node, e progress.Event, s state, said string) {
	if n == nil {
		return
	}
	n.state, n.elapsed = s, e.Elapsed
	if said != "" {
		n.said = foreign.Line(said)
	}
	delete(t.byID, n.id)
	for up := n.parent; up != nil; up = up.parent {
		up.ended++
	}
	if s != failed {
		n.tail, n.inner = nil, nil
	}
	if n.parent != nil {
		n.parent.forget()
	}
}

// forget drops the oldest tasks that ended well, so that a step with thousands of them stays small.
func (n *node) forget() {
	ended := 0
	for _, inner := range n.inner {
		if inner.state != running && inner.state != failed {
			ended++
		}
	}
	for i := 0; ended > keptDone && i < len(n.inner); {
		if s := n.inner[i].state; s == running || s == failed {
			i++
			continue
		}
		n.inner = append(n.inner[:i], n.inner[i+1:]...)
		ended--
	}
}
