// Package display shows people and machines what a run is doing: a live board on a terminal, plain lines elsewhere,
// JSON for machines, or nothing.
//
// It knows events and terminals, and nothing of what the events are about. What it shows of foreign text (build
// output, file names, answers of servers) has no masked secret in it and cannot steer the terminal.
package display

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// Bounds on what waits to be shown when the terminal, or whatever reads the output, is slow.
const (
	maxWaitingLog = 4 << 20         // bytes of output; more is dropped, and said to be
	maxEventText  = 64 << 10        // bytes of one event
	closeWait     = 3 * time.Second // how long Close waits for a reader that does not read
)

// Options say where and how to show.
type Options struct {
	// Mode is the way that was chosen, see Choose; Auto is not one.
	Mode Mode
	// Colour allows colours.
	Colour bool
	// Title stands over the live board: the image's name.
	Title string
	// Clear takes the live board away at the end, for whoever shows a table of the steps after it. What was written
	// above it stays.
	Clear bool
	// Sections folds plain lines by step; nil: they stand as they come.
	Sections Sections
	// Size is the terminal's width and height; nil where there is none.
	Size func() (width, height int)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// renderer draws. Its methods are called one after the other.
type renderer interface {
	event(progress.Event) // Text of a log event holds whole lines
	tick(now time.Time)
	close(now time.Time)
}

// Display is a progress.Sink. The zero value is not usable; see New.
type Display struct {
	renderer renderer
	now      func() time.Time
	every    time.Duration // between ticks; 0: none
	wake     chan struct{}
	done     chan struct{}
	once     sync.Once

	mu       sync.Mutex
	queue    []progress.Event
	latest   map[uint64]int // task -> its last Advanced event in queue, which newer ones replace
	logBytes int
	dropped  map[uint64]dropped
	closed   bool
}

// dropped is output of one task that was not shown.
type dropped struct {
	event progress.Event
	bytes int
}

// New shows on w until Close.
func New(w io.Writer, o Options) *Display {
	d := &Display{now: o.Now, wake: make(chan struct{}, 1), done: make(chan struct{}), latest: map[uint64]int{}, dropped: map[uint64]dropped{}}
	if d.now == nil {
		d.now = time.Now
	}
	switch o.Mode {
	case TTY:
		d.renderer, d.every = newBoard(w, o, d.now()), 100*time.Millisecond
	case JSON:
		d.renderer = newLines(jsonLines{w})
	case Quiet:
		d.renderer = quiet{}
	default:
		var lines renderer = newPlain(w, d.now())
		if o.Sections != nil {
			lines = newSections(w, o.Sections, d.now())
		}
		d.renderer, d.every = newLines(lines), 500*time.Millisecond
	}
	go d.loop()
	return d
}

type quiet struct{}

func (quiet) event(progress.Event) {}
func (quiet) tick(time.Time)       {}
func (quiet) close(time.Time)      {}

// Event takes one event and returns at once. Output that nobody reads fast enough is dropped; other events are kept.
func (d *Display) Event(e progress.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	switch e.Kind {
	case progress.Logged:
		if over := len(e.Text) - maxEventText; over > 0 {
			d.drop(e, over)
			e.Text = e.Text[:maxEventText]
		}
		if d.logBytes+len(e.Text) > maxWaitingLog {
			d.drop(e, len(e.Text))
			return
		}
		d.logBytes += len(e.Text)
	case progress.Advanced:
		if at, waiting := d.latest[e.Task]; waiting {
			d.queue[at] = e
			return
		}
		d.latest[e.Task] = len(d.queue)
	}
	d.queue = append(d.queue, e)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *Display) drop(e progress.Event, bytes int) {
	e.Text = ""
	d.dropped[e.Task] = dropped{e, d.dropped[e.Task].bytes + bytes}
}

// Close shows what is still waiting, restores the terminal, and returns. It may be called more than once.
func (d *Display) Close() error {
	d.once.Do(func() {
		d.mu.Lock()
		d.closed = true
		d.mu.Unlock()
		close(d.wake)
	})
	select {
	case <-d.done:
		return nil
	case <-time.After(closeWait):
		return errors.New("showing the last of the progress: whatever reads it stopped reading")
	}
}

func (d *Display) loop() {
	defer close(d.done)
	var ticks <-chan time.Time
	if d.every > 0 {
		ticker := time.NewTicker(d.every)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case _, open := <-d.wake:
			d.drain()
			if !open {
				d.renderer.close(d.now())
				return
			}
		case <-ticks:
			d.renderer.tick(d.now())
		}
	}
}

// drain shows what waits.
func (d *Display) drain() {
	d.mu.Lock()
	queue, lost := d.queue, d.dropped
	d.queue, d.logBytes = nil, 0
	clear(d.latest)
	d.dropped = map[uint64]dropped{}
	d.mu.Unlock()
	for _, e := range queue {
		d.renderer.event(e)
	}
	for _, l := range lost {
		l.event.Kind, l.event.Text = progress.Noted, bytesDropped(l.bytes)
		d.renderer.event(l.event)
	}
}
