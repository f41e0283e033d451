package notebook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// shell plays Spark's shell: it reads what the real one is told, and keeps views by session. The real one is tested in
// test/real, where there is a Spark.
type shell struct {
	mu     sync.Mutex
	output io.Writer
	mark   string
	views  map[string]bool
	stop   chan struct{} // what a command waits for that an interrupt is to end
	deaf   bool
	ended  chan struct{}
	once   sync.Once
}

var (
	marked = regexp.MustCompile(`\\u001e(\S+) `)
	called = regexp.MustCompile(`HallmarkKept\.run\("([^"]*)", "([^"]*)"`)
)

func (s *shell) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := marked.FindSubmatch(data); found != nil {
		s.mark = string(found[1])
		_, _ = fmt.Fprintf(s.output, "Welcome to Spark\nscala> defined object HallmarkKept\n")
		return len(data), nil
	}
	found := called.FindSubmatch(data)
	if found == nil {
		return 0, fmt.Errorf("the shell was told %q", data)
	}
	code, err := base64.StdEncoding.DecodeString(string(found[2]))
	if err != nil {
		return 0, err
	}
	go s.run(string(found[1]), string(code))
	return len(data), nil
}

func (s *shell) run(language, code string) {
	s.say(begins)
	_, _ = fmt.Fprintf(s.output, "ran %s\n", code)
	word, rest, _ := strings.Cut(code, " ")
	answer := Answer{Kind: "text"}
	switch {
	case word == "wait":
		<-s.stop
		answer = Answer{Kind: "error", Text: "InterruptedException"}
	case word == "create":
		s.views[language+rest] = true
	case word == "select" && !s.views[language+rest]:
		answer = Answer{Kind: "error", Text: "AnalysisException: " + rest}
	}
	text, _ := json.Marshal(answer)
	s.say(string(text))
}

func (s *shell) say(text string) { _, _ = fmt.Fprintf(s.output, "\x1e%s %s\n", s.mark, text) }

func (s *shell) Interrupt(context.Context) error {
	if !s.deaf {
		s.stop <- struct{}{}
	}
	return nil
}

func (s *shell) End(context.Context) error {
	s.once.Do(func() { close(s.ended) })
	return nil
}
func (s *shell) Ended() <-chan struct{} { return s.ended }

// shells starts one after the other.
func shells(all *[]*shell, deaf bool) func(context.Context, string, []string, io.Writer) (Program, error) {
	return func(_ context.Context, _ string, args []string, output io.Writer) (Program, error) {
		if !strings.HasSuffix(args[0], "/bin/spark-shell") {
			return nil, fmt.Errorf("%s is no shell", args[0])
		}
		s := &shell{output: output, views: map[string]bool{}, stop: make(chan struct{}, 1), deaf: deaf, ended: make(chan struct{})}
		*all = append(*all, s)
		return s, nil
	}
}

// A session borrows the shell of another one for SQL, and has views of its own in it, for as long as it likes.
func TestShellsAreLent(t *testing.T) {
	t.Parallel()
	var all []*shell
	options := Options{Home: "/spark", Start: shells(&all, false), Driver: &Driver{}}
	s, other := session(t, options), session(t, options)
	for _, test := range []struct {
		in *Session
		asked
	}{
		{s, asked{"scala", "val x = 1", "text", "ran val x = 1", ""}},
		{s, asked{"sql", "create five", "text", "", ""}},
		{other, asked{"sql", "select five", "error", "AnalysisException", ""}},
		{other, asked{"sql", "create mine", "text", "", ""}},
		{s, asked{"sql", "select mine", "error", "AnalysisException", ""}},
	} {
		test.of(t, test.in)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	asked{"sql", "select mine", "text", "", ""}.of(t, other)
	if len(all) != 1 {
		t.Errorf("there are %d shells", len(all))
	}
	_ = all[0].End(t.Context())
	asked{"sql", "create mine", "text", "", ""}.of(t, other) // in one of its own now
	if len(all) != 2 {
		t.Errorf("there are %d shells", len(all))
	}
}

func TestShellThatIsInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprintf("deaf %t", deaf), func(t *testing.T) {
			t.Parallel()
			var all []*shell
			s := session(t, Options{Home: "/spark", Start: shells(&all, deaf)})
			asked{"sql", "create five", "text", "", ""}.of(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := s.Run(ctx, "scala", "wait for it"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			kind := map[bool]string{false: "text", true: "error"}[deaf] // a shell that does not come back is ended
			asked{"sql", "select five", kind, "", ""}.of(t, s)
			if len(all) != 1+map[bool]int{true: 1}[deaf] {
				t.Errorf("there are %d shells", len(all))
			}
		})
	}
}
