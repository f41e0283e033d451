package notebook

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// started is a program of this machine.
type started struct {
	io.WriteCloser
	cmd   *exec.Cmd
	ended chan struct{}
}

// startIn starts programs in a folder: Spark's shell leaves a database where it was started.
func startIn(folder string) func(context.Context, string, []string, io.Writer) (Program, error) {
	return func(_ context.Context, _ string, args []string, output io.Writer) (Program, error) {
		return start(folder, args, output)
	}
}

func start(folder string, args []string, output io.Writer) (Program, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = folder
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &started{WriteCloser: stdin, cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	return s, nil
}

func (s *started) Interrupt(context.Context) error {
	return syscall.Kill(-s.cmd.Process.Pid, syscall.SIGINT)
}
func (s *started) Ended() <-chan struct{} { return s.ended }
func (s *started) End(context.Context) error {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
	return nil
}

func session(t *testing.T, options Options) *Session {
	t.Helper()
	if options.Start == nil {
		options.Start = startIn(t.TempDir())
	}
	s := New(options)
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s
}

func python(t *testing.T) string {
	t.Helper()
	found, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("there is no python3 on this machine: scripts/prerequisites test installs it")
	}
	return found
}

// asked is one command and what is to come of it.
type asked struct {
	language, code string
	kind           string
	want           string // of the text, or of the rows
	summary        string
}

func (a asked) of(t *testing.T, s *Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got, err := s.Run(ctx, a.language, a.code)
	if err != nil {
		t.Fatalf("%q: %v", a.code, err)
	}
	if got.Kind != a.kind || !strings.Contains(got.Text, a.want) || !strings.Contains(got.Summary, a.summary) {
		t.Errorf("%q: got %+v, want %s with %q and %q", a.code, got, a.kind, a.want, a.summary)
	}
}

func TestPython(t *testing.T) {
	t.Parallel()
	s := session(t, Options{Python: python(t), Home: "/nosuch"})
	for _, test := range []asked{
		{"python", "x = 41", "text", "", ""},
		{"python", "x + 1", "text", "Out[2]: 42", ""},
		{"python", "print('a'); import os, sys\nprint('b', file=sys.stderr)\nos.system('echo c')", "text", "a\nb\nc\nOut[3]: 0", ""},
		{"python", "def f():\n    return x\nx = 7\nprint(f())", "text", "7", ""},
		{"python", "print('before')\n1/0", "error", "before\nTraceback", "ZeroDivisionError</span>: division by zero"},
		{"python", "def g():\n    raise ValueError('deep')\ng()", "error", `line 2, in g`, "ValueError"},
		{"python", "x +", "error", "SyntaxError", "SyntaxError"},
		{"python", "import sys; sys.exit(3)", "error", "SystemExit: 3", ""},
		{"python", "print('\u00e4\u2603', x)", "text", "\u00e4\u2603 7", ""},
		{"python", "input()", "error", "EOFError", ""},
		{"python", "%sh echo $((6*7)); exit 3", "text", "42\n", ""},
		{"python", "%sh -e\nfalse\necho not reached", "error", "exit code 1", ""},
		{"scala", "%python print(x)", "text", "7\n", ""},
		{"python", "# nothing", "text", "", ""},
		{"python", "unknown_name", "error", "NameError", ""},
		{"python", "print('y' * 2000000)", "text", "yyyy", ""},
		{"r", "1", "error", "no R in the image", ""},
		{"ruby", "1", "error", "none of python", ""},
	} {
		test.of(t, s)
	}
}

func TestPythonThatIsInterruptedGoesOn(t *testing.T) {
	t.Parallel()
	s := session(t, Options{Python: python(t), Home: "/nosuch"})
	asked{"python", "x = 1", "text", "", ""}.of(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := s.Run(ctx, "python", "import time\nx = 2\ntime.sleep(60)"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	asked{"python", "print(x)", "text", "2\n", ""}.of(t, s)
}

func TestPythonThatDoesNotListenIsEnded(t *testing.T) {
	t.Parallel()
	s := session(t, Options{Python: python(t), Home: "/nosuch"})
	asked{"python", "x = 1\nimport os; os.close(1)", "error", "has ended", ""}.of(t, s) // it cannot answer any more
	asked{"python", "print('x' in globals())", "text", "False\n", ""}.of(t, s)
	asked{"python", "import os; print('last'); os._exit(3)", "error", "last\npython has ended", "begins anew"}.of(t, s)
	asked{"python", "1", "text", "Out[1]: 1", ""}.of(t, s)
}

// Spark is played by a module, whose JVM talks.
func TestPythonMakesASession(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "python", "pyspark"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"__init__.py": "", "sql.py": `
import os, sys
class Frame:
    class F:
        def __init__(self, name):
            self.name = name
            self.dataType = self
        def json(self):
            return '"long"'
    class S:
        pass
    schema = S()
    schema.fields = [F("n")]
    def take(self, n):
        return [(7,), (None,), (float("nan"),)]
class Session:
    made = 0
    def __init__(self):
        self.sparkContext = self
    def sql(self, text):
        if "wrong" in text:
            raise ValueError("no such table")
        return Frame()
class Builder:
    def __getattr__(self, name):
        return lambda *a, **k: self
    def getOrCreate(self):
        os.system("echo the JVM talks >&2")
        print("and prints")
        if os.environ.get("BROKEN"):
            raise RuntimeError("Java gateway process exited")
        return Session()
class SparkSession:
    builder = Builder()
`,
	} {
		if err := os.WriteFile(filepath.Join(home, "python", "pyspark", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := session(t, Options{Python: python(t), Home: home})
	for _, test := range []asked{
		{"python", "import os; os.environ['BROKEN'] = 'yes'; spark", "error", "the JVM talks", "Java gateway process exited"},
		{"python", "del os.environ['BROKEN']", "text", "", ""},
		{"python", "def f():\n    return spark\nprint(f() is spark, sc is spark)", "text", "True True\n", ""},
		{"sql", "SELECT wrong", "error", "no such table", "ValueError"},
	} {
		test.of(t, s)
	}
	for language, code := range map[string]string{"sql": "SELECT n", "python": "display(spark.sql('SELECT n'))"} {
		got, err := s.Run(t.Context(), language, code)
		if err != nil || got.Kind != "table" || len(got.Rows) != 3 || got.Rows[0][0] != 7.0 || got.Rows[1][0] != nil || got.Rows[2][0] != "nan" || got.Schema[0] != (Column{"n", `"long"`}) || got.Text != "" {
			t.Errorf("%s: got %+v, %v", code, got, err)
		}
	}
}

func TestPip(t *testing.T) {
	t.Parallel()
	s := session(t, Options{Python: python(t), Home: "/nosuch"})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tiny.py"), []byte("VERSION = 'one'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	asked{"python", "%pip install --no-index /nosuch/tiny.whl", "error", "pip install ended with exit code 1", ""}.of(t, s)
	asked{"python", "%pip --version\nprint('then')", "text", "then\n", ""}.of(t, s)
}

func TestR(t *testing.T) {
	t.Parallel()
	found, err := exec.LookPath("Rscript")
	if err != nil {
		t.Fatal("there is no R on this machine: scripts/prerequisites test installs it")
	}
	s := session(t, Options{R: found, Home: "/nosuch"})
	for _, test := range []asked{
		{"r", "x <- 41", "text", "", ""},
		{"r", "x + 1", "text", "[1] 42", ""},
		{"r", "f <- function(a) {\n  a * 2\n}\ncat(f(x), \"ä☃\\n\")\ninvisible(7)", "text", "82 ä☃\n", ""},
		{"r", "cat('before\\n'); stop('boom \"', x, '\"')", "error", "before\nError in", `boom "41"`},
		{"r", "x +", "error", "unexpected end of input", ""},
		{"r", "nosuch", "error", "object 'nosuch' not found", ""},
		{"r", "", "text", "", ""},
		{"python", "%r print(x)", "text", "[1] 41", ""},
	} {
		test.of(t, s)
	}
}
