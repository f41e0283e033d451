package inside

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMain lets the test binary play the commands that are run.
func TestMain(m *testing.M) {
	switch os.Getenv("INSIDE_PLAYS") {
	case "exit":
		fmt.Println("to standard output")
		fmt.Fprintln(os.Stderr, "to standard error")
		os.Exit(42)
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Minute)
	case "suicide":
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		time.Sleep(time.Minute)
	}
	os.Exit(m.Run())
}

func playing(t *testing.T, part string) {
	t.Setenv("INSIDE_PLAYS", part)
}

func TestRun(t *testing.T) {
	notExecutable := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notExecutable, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		part   string
		args   []string
		within time.Duration
		want   Report
		output string
	}{
		{name: "exit code", part: "exit", args: []string{self}, want: Report{ExitCode: 42}, output: "to standard output\nto standard error\n"},
		{name: "signal", part: "suicide", args: []string{self}, want: Report{ExitCode: 137}},
		{name: "deadline", part: "sleep", args: []string{self}, within: 500 * time.Millisecond, want: Report{ExitCode: 137, TimedOut: true}},
		{name: "not on PATH", args: []string{"no-such-command-anywhere"}, want: Report{ExitCode: 127, NoCommand: true, Error: `exec: "no-such-command-anywhere": executable file not found in $PATH`}},
		{name: "no such file", args: []string{"/no/such/file"}, want: Report{ExitCode: 127, NoCommand: true, Error: "fork/exec /no/such/file: no such file or directory"}},
		{name: "not executable", args: []string{notExecutable}, want: Report{ExitCode: 126, Error: "fork/exec " + notExecutable + ": permission denied"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			playing(t, test.part)
			var out bytes.Buffer
			args := RunArgs(test.within, test.args)
			got, err := answer(t.Context(), args[1:], &out)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if !strings.Contains(out.String(), test.output) {
				t.Errorf("output %q", out.String())
			}
		})
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			if asked.Add(1) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, "Workers (1)")
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return
				}
			}
		default:
			fmt.Fprint(w, "hello")
		}
	}))
	defer server.Close()
	for _, test := range []struct {
		path, contains, matches string
		status                  int
		want                    Report
	}{
		{path: "/", status: 200, contains: "ell", matches: "^h.*o$", want: Report{Status: 200, Body: "hello"}},
		{path: "/late", status: 200, contains: "Workers (1)", want: Report{Status: 200, Body: "Workers (1)"}},
		{path: "/", status: 404, want: Report{Status: 200, Body: "hello", TimedOut: true}},
		{path: "/", status: 200, contains: "never", want: Report{Status: 200, Body: "hello", TimedOut: true}},
		{path: "/redirect", status: 302, want: Report{Status: 302, Body: "<a href=\"/elsewhere\">Found</a>.\n\n"}},
		{path: "/endless", status: 200, want: Report{Status: 200, Body: strings.Repeat("x", bodyLimit)}},
	} {
		args := GetArgs(time.Second, server.URL+test.path, test.status, test.contains, test.matches)
		got, err := answer(t.Context(), args[1:], nil)
		if err != nil {
			t.Fatal(err)
		}
		if got != test.want {
			t.Errorf("%s: got %.200v, want %.200v", test.path, got, test.want)
		}
	}
}

func TestGetFromNobody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	server.Close()
	got, err := get(t.Context(), page{url: server.URL, status: 200}, 300*time.Millisecond)
	if err != nil || got.Status != 0 || !got.TimedOut || got.Error != "connection refused" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestGetEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if got, err := get(ctx, page{url: "http://127.0.0.1:1/", status: 200}, time.Minute); err != nil || !got.TimedOut {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"dance"}, {"run"}, {"get"}, {"get", "-matches", "(", "http://x"}, {"run", "-nosuch"}} {
		if _, err := answer(t.Context(), args, nil); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	if got, err := Parse("{\"exit_code\":3}\n"); err != nil || got.ExitCode != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, text := range []string{"", "panic: oh", "{\"exit_code\":3}\nmore"} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
