package launch

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Bounds on what is kept of what a cluster writes: its beginning, where it says how it was started, and its end.
const (
	logHead = 512 << 10
	logTail = 4 << 20
	// ownTail is how much of one process's output is kept to explain its failure.
	ownTail = 64 << 10
)

// Logbook keeps what the processes of one cluster write, each line with the name of its process, within bounds. It is
// for targets that see the output as it comes. Its methods may be called at the same time.
type Logbook struct {
	mu   sync.Mutex
	head bytes.Buffer
	tail Tail
}

// NewLogbook returns an empty one.
func NewLogbook() *Logbook { return &Logbook{tail: Tail{Most: logTail}} }

func (l *Logbook) line(name string, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := io.Writer(&l.head)
	if l.head.Len() >= logHead {
		to = &l.tail
	}
	_, _ = fmt.Fprintf(to, "[%s] %s\n", name, text)
}

// Reader is a snapshot of the log.
func (l *Logbook) Reader() io.ReadCloser {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := []io.Reader{bytes.NewReader(bytes.Clone(l.head.Bytes()))}
	if lost := l.tail.Lost(); lost > 0 {
		parts = append(parts, strings.NewReader(fmt.Sprintf("[hallmark] %d bytes are left out here\n", lost)))
	}
	parts = append(parts, strings.NewReader(l.tail.String()))
	return io.NopCloser(io.MultiReader(parts...))
}

// Output returns a writer for one process. Its own end is kept, too.
func (l *Logbook) Output(name string, also io.Writer) *ProcessOutput {
	return &ProcessOutput{book: l, name: name, also: also, own: Tail{Most: ownTail}}
}

// ProcessOutput takes what one process writes to its standard streams.
type ProcessOutput struct {
	book *Logbook
	name string
	also io.Writer // who watches live; may be nil

	mu      sync.Mutex
	partial []byte
	own     Tail
}

// longestLine bounds a line without an end.
const longestLine = 16 << 10

// Write never fails: a process must not stop because its log is full.
func (p *ProcessOutput) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.own.Write(data)
	for rest := data; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			p.partial = append(p.partial, rest...)
			rest = nil
		} else {
			p.partial = append(p.partial, rest[:end]...)
			rest = rest[end+1:]
		}
		if end >= 0 || len(p.partial) >= longestLine {
			p.flush()
		}
	}
	return len(data), nil
}

// Close writes out a last line without an end.
func (p *ProcessOutput) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.partial) > 0 {
		p.flush()
	}
	return nil
}

func (p *ProcessOutput) flush() {
	line := bytes.TrimRight(p.partial, "\r")
	p.book.line(p.name, line)
	if p.also != nil {
		_, _ = fmt.Fprintf(p.also, "%s\n", line)
	}
	p.partial = p.partial[:0]
}

// Tail is the end of what the process has written.
func (p *ProcessOutput) Tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.own.String()
}

// Tail keeps the last Most bytes written to it, and forgets whole lines first.
type Tail struct {
	Most int
	kept []byte
	lost int64
}

func (t *Tail) Write(data []byte) (int, error) {
	t.kept = append(t.kept, data...)
	if len(t.kept) > 2*t.Most { // not at every write: moving the rest costs
		t.trim()
	}
	return len(data), nil
}

func (t *Tail) trim() {
	cut := len(t.kept) - t.Most
	if cut <= 0 {
		return
	}
	if end := bytes.IndexByte(t.kept[cut:], '\n'); end >= 0 {
		cut += end + 1
	}
	t.lost += int64(cut)
	t.kept = append(t.kept[:0], t.kept[cut:]...)
}

// Lost is how many bytes were forgotten.
func (t *Tail) Lost() int64 { return t.lost }

// String is what is kept, at most Most bytes.
func (t *Tail) String() string {
	t.trim()
	return string(t.kept)
}
