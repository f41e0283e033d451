package launch

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// fake is a target whose every step can fail in the ways that real ones do.
type fake struct {
	launch func(ctx context.Context) error // nil: works
	begun  bool                            // a cluster comes beside the launch's error
	probe  func(ctx context.Context, probe Probe) (Output, error)
	log    string
	logErr error
	state  State
	endErr error

	probed     atomic.Int32
	terminated atomic.Int32
	readAfter  atomic.Bool // the log was read when the cluster was down
	cleanly    atomic.Bool // Terminate had a context that was still good
}

func (f *fake) Name() string { return "fake" }

func (f *fake) Launch(ctx context.Context, spec Spec) (Cluster, error) {
	if f.launch != nil {
		if err := f.launch(ctx); err != nil {
			if f.begun {
				return f, err
			}
			return nil, err
		}
	}
	return f, nil
}

func (f *fake) ID() string { return "fake-1" }

func (f *fake) Probe(ctx context.Context, probe Probe) (Output, error) {
	f.probed.Add(1)
	if f.probe == nil {
		return Output{Text: "Pi is roughly 3.14"}, nil
	}
	return f.probe(ctx, probe)
}

func (f *fake) Logs(context.Context) (io.ReadCloser, error) {
	f.readAfter.Store(f.terminated.Load() > 0)
	return io.NopCloser(strings.NewReader(f.log)), f.logErr
}

func (f *fake) State() State { return f.state }

func (f *fake) Terminate(ctx context.Context) error {
	f.terminated.Add(1)
	f.cleanly.Store(ctx.Err() == nil)
	return f.endErr
}

var candidate = subject.Subject{Repository: "127.0.0.1:5000/spark", Digest: "sha256:" + strings.Repeat("a", 64)}

func spec(probes ...Probe) Spec {
	return Spec{Subject: candidate, Profile: Spark, Probes: probes, Timeout: 5 * time.Second, Limits: Limits{Memory: 512 << 20, PIDs: 64}}
}

var piProbe = Probe{Kind: SparkPi, Partitions: 2}

func sayNo(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRun(t *testing.T) {
	t.Parallel()
	image := &Error{Verdict: verdict.Fail, Code: CodeExited, Reason: "the master ended with exit code 1", Remedy: "Do"}
	outage := &Error{Verdict: verdict.Inconclusive, Code: CodePull, Reason: "the registry is down", Remedy: "Wait"}
	runProbe := Probe{Kind: Command, Args: []string{"x"}}
	tests := []struct {
		name       string
		target     *fake
		spec       Spec
		want       verdict.Verdict
		code       string
		reason     string
		probes     []verdict.Verdict
		terminated int32
	}{
		{name: "pass", target: &fake{}, spec: spec(piProbe, runProbe), want: verdict.Pass, probes: []verdict.Verdict{verdict.Pass, verdict.Pass}, terminated: 1},
		{name: "no probes", target: &fake{}, spec: spec(), want: verdict.Pass, terminated: 1},
		{name: "the image's fault", target: &fake{launch: sayNo(image), begun: true}, spec: spec(piProbe), want: verdict.Fail, code: CodeExited, reason: "exit code 1", probes: []verdict.Verdict{""}, terminated: 1},
		{name: "an outage", target: &fake{launch: sayNo(outage)}, spec: spec(piProbe), want: verdict.Inconclusive, code: CodePull, reason: "registry is down", probes: []verdict.Verdict{""}},
		{name: "an error that nobody explains", target: &fake{launch: sayNo(errors.New("boom"))}, spec: spec(piProbe), want: verdict.Inconclusive, code: CodeEngine, reason: "boom", probes: []verdict.Verdict{""}},
		{
			name: "an engine that died", target: &fake{launch: sayNo(&verdict.Error{Verdict: verdict.Inconclusive, Code: "engine.died", Doing: "running", Cause: errors.New("gone"), Remedy: "Again"})},
			spec: spec(piProbe), want: verdict.Inconclusive, code: "engine.died", reason: "running: gone", probes: []verdict.Verdict{""},
		},
		{
			name: "nothing is up in time", target: &fake{launch: hang, begun: true}, spec: withTimeout(spec(piProbe), 50*time.Millisecond),
			want: verdict.Inconclusive, code: CodeTimeout, reason: "nothing was up", probes: []verdict.Verdict{""}, terminated: 1,
		},
		{
			name: "a probe fails, the next is still asked", spec: spec(piProbe, runProbe),
			target: &fake{probe: func(_ context.Context, p Probe) (Output, error) {
				if p.Kind == SparkPi {
					return Output{ExitCode: 1, Text: "java.lang.ClassNotFoundException: a.B"}, nil
				}
				return Output{}, nil
			}},
			want: verdict.Fail, code: CodeProbe, reason: "a.B is missing", probes: []verdict.Verdict{verdict.Fail, verdict.Pass}, terminated: 1,
		},
		{
			name: "a probe hangs", spec: spec(Probe{Kind: Command, Args: []string{"x"}, Timeout: 50 * time.Millisecond}, runProbe),
			target: &fake{probe: func(ctx context.Context, p Probe) (Output, error) {
				if p.Timeout < time.Second {
					return Output{Text: "waiting\n"}, hang(ctx)
				}
				return Output{}, nil
			}},
			want: verdict.Fail, code: CodeProbe, reason: "does not end within 50ms", probes: []verdict.Verdict{verdict.Fail, verdict.Pass}, terminated: 1,
		},
		{
			name: "the probes are not through in time", spec: withTimeout(spec(piProbe, runProbe), 50*time.Millisecond),
			target: &fake{probe: func(ctx context.Context, _ Probe) (Output, error) { return Output{}, hang(ctx) }},
			want:   verdict.Inconclusive, code: CodeTimeout, reason: "the probes were not through when the launch's 0s were over: ", probes: []verdict.Verdict{verdict.Inconclusive, ""}, terminated: 1,
		},
		{
			name: "the cluster is up late", spec: withTimeout(spec(piProbe, runProbe), 200*time.Millisecond),
			target: &fake{launch: func(context.Context) error { time.Sleep(150 * time.Millisecond); return nil }, probe: func(ctx context.Context, _ Probe) (Output, error) { return Output{}, hang(ctx) }},
			want:   verdict.Inconclusive, code: CodeTimeout, reason: "had not had its own time", probes: []verdict.Verdict{verdict.Inconclusive, ""}, terminated: 1,
		},
		{
			name: "a probe that hangs has its own time, and the launch's ends with it", spec: withTimeout(spec(Probe{Kind: Command, Args: []string{"x"}, Timeout: 50 * time.Millisecond}), 80*time.Millisecond),
			target: &fake{probe: func(ctx context.Context, _ Probe) (Output, error) {
				time.Sleep(500 * time.Millisecond)
				return Output{}, hang(ctx)
			}},
			want: verdict.Fail, code: CodeTimeout, reason: "the probes were not through", probes: []verdict.Verdict{verdict.Inconclusive}, terminated: 1,
		},
		{
			name: "the cluster dies under a probe", spec: spec(piProbe, runProbe),
			target: &fake{probe: func(context.Context, Probe) (Output, error) { return Output{}, image }},
			want:   verdict.Fail, code: CodeExited, reason: "exit code 1", probes: []verdict.Verdict{verdict.Fail, ""}, terminated: 1,
		},
		{
			name: "memory", spec: spec(piProbe), target: &fake{probe: func(context.Context, Probe) (Output, error) { return Output{ExitCode: 137}, nil }, state: State{OOMKilled: true}},
			want: verdict.Fail, code: CodeMemory, reason: "the memory limit of 512Mi killed a process", probes: []verdict.Verdict{verdict.Fail}, terminated: 1,
		},
		{
			name: "processes", spec: spec(piProbe), target: &fake{probe: func(context.Context, Probe) (Output, error) { return Output{ExitCode: 1}, nil }, state: State{PIDsExhausted: true}},
			want: verdict.Fail, code: CodePIDs, reason: "the limit of 64 processes was reached", probes: []verdict.Verdict{verdict.Fail}, terminated: 1,
		},
		{name: "a limit that killed something nobody missed", spec: spec(piProbe), target: &fake{state: State{OOMKilled: true}}, want: verdict.Pass, probes: []verdict.Verdict{verdict.Pass}, terminated: 1},
		{name: "no Python", spec: spec(Probe{Kind: Python, Code: "1"}), target: &fake{probe: func(context.Context, Probe) (Output, error) { return Output{NoCommand: true}, nil }}, want: verdict.Pass, probes: []verdict.Verdict{""}, terminated: 1},
		{name: "a log that cannot be read", target: &fake{logErr: errors.New("no")}, spec: spec(), want: verdict.Pass, terminated: 1},
		{name: "a cluster that does not go", target: &fake{endErr: errors.New("stuck")}, spec: spec(), want: verdict.Pass, terminated: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Run(t.Context(), test.target, test.spec)
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != test.want || got.Code != test.code || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("verdict %s, code %q, reason %q", got.Verdict, got.Code, got.Reason)
			}
			if got.Verdict != verdict.Pass && got.Remedy == "" {
				t.Error("no remedy")
			}
			if (got.Err() == nil) != (test.want == verdict.Pass) || verdict.OfError(got.Err()) != test.want {
				t.Errorf("Err() is %v", got.Err())
			}
			if (len(got.Findings()) > 0) != (test.want == verdict.Fail) {
				t.Errorf("findings %v", got.Findings())
			}
			for i, want := range test.probes {
				if got.Probes[i].Verdict != want || want == "" && got.Probes[i].Skipped == "" {
					t.Errorf("probe %d: %+v, want %q", i, got.Probes[i], want)
				}
			}
			if n := test.target.terminated.Load(); n != test.terminated {
				t.Errorf("terminated %d times, want %d", n, test.terminated)
			}
		})
	}
}

func withTimeout(s Spec, timeout time.Duration) Spec {
	s.Timeout = timeout
	return s
}

func TestRunTakesDownWhenCancelled(t *testing.T) {
	t.Parallel()
	for _, target := range []*fake{
		{launch: hang, begun: true},
		{probe: func(ctx context.Context, _ Probe) (Output, error) { return Output{}, hang(ctx) }},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Millisecond, cancel)
		got, err := Run(ctx, target, spec(piProbe))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if got.Verdict != verdict.Inconclusive || got.Code != CodeInterrupted {
			t.Errorf("verdict %s, code %s", got.Verdict, got.Code)
		}
		if target.terminated.Load() != 1 || !target.cleanly.Load() {
			t.Error("not taken down with a context of its own")
		}
		if !target.readAfter.Load() {
			t.Error("the log was read while the cluster went on")
		}
	}
}

func TestRunNotesWhatIsLeftBehind(t *testing.T) {
	t.Parallel()
	for want, failed := range map[string]error{
		"The cluster fake-1 could not be taken down: the mount is busy.":         errors.New("the mount is busy"),
		"The cluster c-1 could not be deleted: no answer. Run hallmark cleanup.": &Error{Verdict: verdict.Inconclusive, Reason: "the cluster c-1 could not be deleted: no answer", Remedy: "Run hallmark cleanup"},
	} {
		result, err := Run(t.Context(), &fake{endErr: failed}, spec(piProbe))
		if err != nil || result.Verdict != verdict.Pass || len(result.Notes) != 1 || result.Notes[0] != want {
			t.Errorf("%v: %s, notes %q, want %q", err, result.Verdict, result.Notes, want)
		}
	}
}

func TestRunRefusesWhatCannotBeLaunched(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Spec{
		"no subject":          {Profile: Spark},
		"profile":             {Subject: candidate, Profile: "sprak"},
		"a runtime elsewhere": {Subject: candidate, Profile: Spark, Runtime: "/opt/spark"},
		"limits":              {Subject: candidate, Profile: Spark, Limits: Limits{CPUs: -1}},
		"probe":               {Subject: candidate, Profile: Service, Probes: []Probe{piProbe}},
	} {
		target := &fake{}
		if _, err := Run(t.Context(), target, s); !errors.Is(err, verdict.ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
		if target.probed.Load() != 0 {
			t.Errorf("%s: launched", name)
		}
	}
}

func TestRunKeepsTheLogWithoutSecrets(t *testing.T) {
	t.Parallel()
	secret.Mask("hunter2-hunter2")
	path := filepath.Join(t.TempDir(), "deep", "launch.log")
	s := spec()
	s.LogPath = path
	got, err := Run(t.Context(), &fake{log: "[master] password hunter2-hunter2\n[master] no end"}, s)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "[master] password ***\n[master] no end"; string(text) != want || got.LogTail != want || got.LogPath != path {
		t.Errorf("file %q, tail %q, path %q", text, got.LogTail, got.LogPath)
	}
	info, _ := os.Stat(path)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the log's mode is %v", info.Mode())
	}
}

func TestDeadlineIsTheEarlierOfTheTwo(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := spec()
	s.Deadline = now.Add(time.Second)
	if got, _ := s.check(now); !got.Deadline.Equal(now.Add(time.Second)) {
		t.Errorf("deadline in %s", got.Deadline.Sub(now))
	}
	s.Deadline = now.Add(time.Hour)
	if got, _ := s.check(now); !got.Deadline.Equal(now.Add(5 * time.Second)) {
		t.Errorf("deadline in %s", got.Deadline.Sub(now))
	}
}

func TestLimitsAreAskedInWords(t *testing.T) {
	t.Parallel()
	asked := Limits{Memory: 3 << 30, CPUs: 1.5, PIDs: 1024}.Asked()
	var words []string
	for _, limit := range asked {
		words = append(words, limit.Name+" "+limit.Asked)
	}
	if got := strings.Join(words, ", "); got != "memory 3Gi, cpus 1.5, pids 1024" {
		t.Error(got)
	}
	if got := Bytes(953_491_457); got != "909Mi" {
		t.Error(got)
	}
}
