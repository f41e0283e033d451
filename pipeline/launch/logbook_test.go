package launch

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestLogbookNamesEveryLine(t *testing.T) {
	t.Parallel()
	book := NewLogbook()
	var live strings.Builder
	master := book.Output("master", &live)
	worker := book.Output("worker", nil)
	for _, part := range []string{"star", "ted\nhalf", " a line\r\n"} {
		fmt.Fprint(master, part)
	}
	fmt.Fprint(worker, "no end")
	_ = worker.Close()
	got, _ := io.ReadAll(book.Reader())
	if want := "[master] started\n[master] half a line\n[worker] no end\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := "started\nhalf a line\n"; live.String() != want {
		t.Errorf("live: got %q, want %q", live.String(), want)
	}
	if want := "started\nhalf a line\r\n"; master.Tail() != want {
		t.Errorf("tail: got %q, want %q", master.Tail(), want)
	}
}

func TestLogbookIsBounded(t *testing.T) {
	t.Parallel()
	book := NewLogbook()
	out := book.Output("noisy", nil)
	line := []byte(strings.Repeat("x", 1000) + "\n")
	fmt.Fprintln(out, "first")
	for range 20_000 {
		_, _ = out.Write(line)
	}
	fmt.Fprintln(out, "last")
	got, _ := io.ReadAll(book.Reader())
	if len(got) > logHead+logTail+4096 {
		t.Errorf("%d bytes are kept", len(got))
	}
	text := string(got)
	for _, want := range []string{"[noisy] first\n", "[noisy] last\n", "[hallmark] ", " bytes are left out here\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the log", want)
		}
	}
	if n := len(out.Tail()); n > ownTail {
		t.Errorf("%d bytes are kept of one process", n)
	}
}

func TestLogbookBreaksEndlessLines(t *testing.T) {
	t.Parallel()
	book := NewLogbook()
	out := book.Output("p", nil)
	for range 100 {
		_, _ = out.Write([]byte(strings.Repeat("y", 1000)))
	}
	got, _ := io.ReadAll(book.Reader())
	if strings.Count(string(got), "\n") < 5 {
		t.Error("a line without an end is kept in memory")
	}
}

func TestTailForgetsWholeLines(t *testing.T) {
	t.Parallel()
	tail := Tail{Most: 10}
	fmt.Fprint(&tail, "aaaa\nbbbb\ncccc\n")
	if got := tail.String(); got != "cccc\n" {
		t.Errorf("got %q", got)
	}
	if tail.Lost() != 10 {
		t.Errorf("lost %d", tail.Lost())
	}
}
