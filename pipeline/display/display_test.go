package display

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/goldentest"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
)

var start = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

// masked is a secret that a build prints.
const masked = "correct-horse-battery"

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

func took(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// story is a run with everything in it: the first half until the launch runs, the second until it failed.
func story() (first, second []progress.Event) {
	secret.Mask(masked)
	type E = progress.Event
	first = []E{
		{Time: at(0), Kind: progress.Started, Task: 1, Step: "build", Name: "build"},
		{Time: at(0), Kind: progress.Noted, Task: 1, Step: "build", Name: "build", Text: "building with the embedded engine: nothing else was asked for"},
		{Time: at(0.1), Kind: progress.Started, Task: 2, Parent: 1, Step: "build", Name: "[1/3] FROM debian"},
		{Time: at(0.2), Kind: progress.Ended, Task: 2, Parent: 1, Step: "build", Name: "[1/3] FROM debian", Cached: true, Elapsed: took(0.1)},
		{Time: at(0.2), Kind: progress.Started, Task: 3, Parent: 1, Step: "build", Name: "[2/3] RUN make"},
		{Time: at(0.5), Kind: progress.Logged, Task: 3, Parent: 1, Step: "build", Name: "[2/3] RUN make", Text: "compiling\nusing correct-horse"},
		{Time: at(0.6), Kind: progress.Logged, Task: 3, Parent: 1, Step: "build", Name: "[2/3] RUN make", Text: "-battery as password\n 10%\r 50%\r100%\r\n\x1b[2J\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07\n"},
		{Time: at(4), Kind: progress.Logged, Task: 3, Parent: 1, Step: "build", Name: "[2/3] RUN make", Text: "no line end"},
		{Time: at(4.2), Kind: progress.Ended, Task: 3, Parent: 1, Step: "build", Name: "[2/3] RUN make", Elapsed: took(4)},
		{Time: at(4.2), Kind: progress.Ended, Task: 1, Step: "build", Name: "build", Elapsed: took(4.2)},
		{Time: at(4.3), Kind: progress.Started, Task: 4, Step: "check", Name: "check"},
		{Time: at(4.3), Kind: progress.Skipped, Task: 4, Step: "check", Name: "check", Text: "evidence of 12 minutes ago stands for this digest and these packs"},
		{Time: at(4.3), Kind: progress.Started, Task: 5, Step: "scan", Name: "scan"},
		{Time: at(4.3), Kind: progress.Started, Task: 6, Step: "upload", Name: "upload"},
		{Time: at(4.4), Kind: progress.Started, Task: 7, Parent: 6, Step: "upload", Name: "blob 9f86d081884c (48 MB)"},
		{Time: at(4.4), Kind: progress.Started, Task: 8, Parent: 5, Step: "scan", Name: "layer 3 of 7"},
		{Time: at(6), Kind: progress.Advanced, Task: 7, Parent: 6, Step: "upload", Name: "blob 9f86d081884c (48 MB)", Current: 12_000_000, Total: 48_000_000},
		{Time: at(6), Kind: progress.Warned, Task: 5, Step: "scan", Name: "scan", Text: "The vulnerability database is a small demonstration: a pass says nothing about real vulnerabilities."},
		{Time: at(16), Kind: progress.Advanced, Task: 7, Parent: 6, Step: "upload", Name: "blob 9f86d081884c (48 MB)", Current: 36_000_000, Total: 48_000_000},
	}
	second = []E{
		{Time: at(20), Kind: progress.Ended, Task: 7, Parent: 6, Step: "upload", Name: "blob 9f86d081884c (48 MB)", Elapsed: took(15.6)},
		{Time: at(20), Kind: progress.Ended, Task: 8, Parent: 5, Step: "scan", Name: "layer 3 of 7", Elapsed: took(15.6)},
		{Time: at(20), Kind: progress.Ended, Task: 5, Step: "scan", Name: "scan", Elapsed: took(15.7)},
		{Time: at(20), Kind: progress.Ended, Task: 6, Step: "upload", Name: "upload", Elapsed: took(15.7)},
		{Time: at(20.1), Kind: progress.Started, Task: 9, Step: "launch", Name: "launch"},
		{Time: at(20.1), Kind: progress.Started, Task: 10, Parent: 9, Step: "launch", Name: "probe spark-pi 20"},
		{Time: at(22), Kind: progress.Logged, Task: 10, Parent: 9, Step: "launch", Name: "probe spark-pi 20", Text: "INFO starting\nERROR scala/Product\n"},
		{Time: at(23), Kind: progress.Ended, Task: 10, Parent: 9, Step: "launch", Name: "probe spark-pi 20", Elapsed: took(2.9), Err: "the probe ended with exit code 1"},
		{Time: at(23), Kind: progress.Ended, Task: 9, Step: "launch", Name: "launch", Elapsed: took(2.9), Err: "1 of 2 probes failed"},
	}
	return first, second
}

func TestPlain(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := newLines(newPlain(&out, start))
	first, second := story()
	for _, e := range append(first, second...) {
		r.tick(e.Time)
		r.event(e)
	}
	r.close(at(23))
	goldentest.Compare(t, "testdata/plain.txt", out.String())
	harmless(t, out.String())
}

func TestJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := newLines(jsonLines{&out})
	first, second := story()
	for _, e := range append(first, second...) {
		r.event(e)
	}
	r.close(at(23))
	goldentest.Compare(t, "testdata/events.jsonl", out.String())
	harmless(t, out.String())
	for line := range strings.Lines(out.String()) {
		var e progress.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%v in %s", err, line)
		}
	}
}

func harmless(t *testing.T, text string) {
	t.Helper()
	if i := strings.IndexAny(text, "\x1b\x07\r\u009b"); i >= 0 {
		t.Errorf("the output steers terminals: %q", text[max(0, i-20):min(len(text), i+20)])
	}
	if strings.Contains(text, masked) {
		t.Error("the output holds the secret")
	}
}

// TestBoard looks at what stands on a terminal at three moments.
func TestBoard(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{80, 24}, {60, 10}, {120, 40}} {
		s := newScreen(size[0], size[1])
		r := newBoard(s, Options{Title: "spark", Size: s.size}, start)
		first, second := story()
		var b strings.Builder
		moment := func(name string) {
			fmt.Fprintf(&b, "---- %s\n%s", name, s.text())
		}
		for _, e := range first[:8] {
			r.event(e)
		}
		r.tick(at(4.1))
		moment("building")
		for _, e := range first[8:] {
			r.event(e)
			r.tick(e.Time)
		}
		r.tick(at(16.5))
		moment("scanning and uploading")
		for _, e := range second {
			r.event(e)
			r.tick(e.Time)
		}
		r.close(at(23))
		moment("at the end")
		goldentest.Compare(t, fmt.Sprintf("testdata/board-%dx%d.txt", size[0], size[1]), b.String())
		if s.hidden {
			t.Error("the cursor stays hidden")
		}
		if s.foreign != "" {
			t.Errorf("sequences reach the terminal that the board does not use: %q", s.foreign)
		}
	}
}

// TestBoardOnAnotherWidth draws on a terminal that becomes narrower: nothing of the older frames may stay.
func TestBoardOnAnotherWidth(t *testing.T) {
	t.Parallel()
	s := newScreen(100, 30)
	r := newBoard(s, Options{Title: "spark", Size: s.size}, start)
	first, _ := story()
	for _, e := range first {
		r.event(e)
	}
	r.tick(at(16))
	s.resize(50)
	r.tick(at(17))
	if n := strings.Count(s.text(), "Hallmark"); n != 1 {
		t.Errorf("%d boards stand on the screen:\n%s", n, s.text())
	}
}

// TestBoardClears takes the board away and leaves the warnings.
func TestBoardClears(t *testing.T) {
	t.Parallel()
	s := newScreen(100, 30)
	r := newBoard(s, Options{Title: "spark", Size: s.size, Clear: true}, start)
	first, _ := story()
	for _, e := range first {
		r.event(e)
		r.tick(e.Time)
	}
	r.close(at(17))
	if text := s.text(); strings.Contains(text, "Hallmark") || !strings.Contains(text, "demonstration") {
		t.Errorf("the screen is\n%s", text)
	}
}

// stuck is a reader that does not read until it is let go.
type stuck struct {
	let chan struct{}
	mu  sync.Mutex
	got bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.let
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}

// TestNeverBlocks floods a display whose reader does not read; output is dropped with a notice, nothing else.
func TestNeverBlocks(t *testing.T) {
	t.Parallel()
	w := &stuck{let: make(chan struct{})}
	d := New(w, Options{Mode: Plain})
	began := time.Now()
	ctx := progress.With(t.Context(), d)
	ctx, step := progress.Start(ctx, "build")
	_, task := progress.Start(ctx, "[1/1] RUN yes")
	line := []byte(strings.Repeat("y", 1023) + "\n")
	for i := range int64(20_000) {
		_, _ = task.Write(line)
		task.Advance(i, 20_000)
	}
	task.End(nil)
	step.End(nil)
	if elapsed := time.Since(began); elapsed > 2*time.Second {
		t.Errorf("the pipeline stood still for %s", elapsed)
	}
	close(w.let)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.got.String()
	if !strings.Contains(out, "left out here") || !strings.Contains(out, "#1 done in") {
		t.Errorf("the end of the output is %q", out[max(0, len(out)-400):])
	}
	// One batch is on its way to the reader while another waits; each line of it has a time and a name before it.
	if len(out) > 2*maxWaitingLog*9/8 {
		t.Errorf("%d bytes were kept", len(out))
	}
}

// TestCloseGivesUp does not wait for ever.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	w := &stuck{let: make(chan struct{})}
	d := New(w, Options{Mode: Plain})
	_, step := progress.Start(progress.With(t.Context(), d), "build")
	step.End(errors.New("x"))
	if err := d.Close(); err == nil {
		t.Error("claims to have shown everything")
	}
	close(w.let)
	if err := d.Close(); err != nil {
		t.Errorf("once the reader reads: %v", err)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		asked    Mode
		terminal bool
		env      string
		want     Mode // empty: refused
		colour   bool
	}{
		{"", true, "TERM=xterm", TTY, true},
		{Auto, true, "TERM=xterm NO_COLOR=1", TTY, false},
		{Auto, true, "TERM=xterm CI=true", Plain, false},
		{Auto, true, "TERM=xterm CI=false", TTY, true},
		{Auto, true, "TERM=dumb", Plain, false},
		{Auto, true, "", Plain, false},
		{Auto, false, "TERM=xterm", Plain, false},
		{Plain, true, "TERM=xterm", Plain, true},
		{TTY, false, "TERM=xterm", "", false},
		{TTY, true, "TERM=xterm CI=true", TTY, false},
		{JSON, false, "", JSON, false},
		{Quiet, false, "", Quiet, false},
		{"fancy", true, "TERM=xterm", "", false},
	} {
		env := func(name string) string {
			for _, entry := range strings.Fields(test.env) {
				if value, found := strings.CutPrefix(entry, name+"="); found {
					return value
				}
			}
			return ""
		}
		got, err := choose(test.asked, test.terminal, env, nil)
		if (err != nil) != (test.want == "") || err == nil && (got.Mode != test.want || got.Colour != test.colour) {
			t.Errorf("%+v: got %q, colour %v, error %v", test, got.Mode, got.Colour, err)
		}
	}
}

// FuzzLines feeds output in pieces: no byte of it may reach a terminal as a command, no secret may show.
func FuzzLines(f *testing.F) {
	secret.Mask(masked)
	f.Add("plain\n", "text\n")
	f.Add("\x1b[2", "J\n")
	f.Add("correct-horse", "-battery\n")
	f.Add("\x1b]0;", "title\x07\r\nx\ry\u202e\u009b31m\xff\n")
	f.Fuzz(func(t *testing.T, one, two string) {
		var plainOut bytes.Buffer
		p := newLines(newPlain(&plainOut, start))
		s := newScreen(80, 24)
		b := newBoard(s, Options{Size: s.size}, start)
		for _, r := range []renderer{p, b} {
			r.event(progress.Event{Time: start, Kind: progress.Started, Task: 1, Step: "build", Name: "build"})
			r.event(progress.Event{Time: start, Kind: progress.Started, Task: 2, Parent: 1, Step: "build", Name: one})
			r.event(progress.Event{Time: start, Kind: progress.Logged, Task: 2, Parent: 1, Step: "build", Text: one})
			r.event(progress.Event{Time: start, Kind: progress.Logged, Task: 2, Parent: 1, Step: "build", Text: two})
			r.tick(at(1))
			r.event(progress.Event{Time: at(1), Kind: progress.Ended, Task: 2, Parent: 1, Step: "build", Err: two})
			r.close(at(2))
		}
		harmless(t, plainOut.String())
		if s.foreign != "" {
			t.Errorf("sequences reach the terminal: %q", s.foreign)
		}
	})
}
