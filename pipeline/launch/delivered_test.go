package launch

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// late is a fake whose processes' output is delivered after its end.
type late struct {
	fake
	text  string
	asked []verdict.Verdict
	early bool // it was asked for while the cluster was up
	none  bool
}

func (l *late) Launch(ctx context.Context, spec Spec) (Cluster, error) {
	_, err := l.fake.Launch(ctx, spec)
	return l, err
}

func (l *late) Delivered(_ context.Context, how verdict.Verdict) io.ReadCloser {
	l.asked = append(l.asked, how)
	l.early = l.terminated.Load() == 0
	if l.none {
		return nil
	}
	return io.NopCloser(strings.NewReader(l.text))
}

func TestRunJoinsWhatIsDelivered(t *testing.T) {
	t.Parallel()
	secret.Mask("delivered-hunter2")
	no := sayNo(&Error{Verdict: verdict.Inconclusive, Code: CodePull, Reason: "down", Remedy: "Wait"})
	const own, joined = "[master] up\n", "[driver/stderr] password ***\n"
	for _, test := range []struct {
		name     string
		launch   func(context.Context) error
		exit     int
		none     bool
		verdict  verdict.Verdict
		log, see string
	}{
		{"pass", nil, 0, false, verdict.Pass, own + joined, own},
		{"fail", nil, 1, false, verdict.Fail, own + joined, own + joined},
		{"inconclusive", no, 0, false, verdict.Inconclusive, own + joined, own + joined},
		{"nothing is to be delivered", nil, 1, true, verdict.Fail, own, own},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := &late{fake: fake{log: own, launch: test.launch, begun: true}, text: "[driver/stderr] password delivered-hunter2\n", none: test.none}
			target.probe = func(context.Context, Probe) (Output, error) { return Output{ExitCode: test.exit}, nil }
			s := spec(Probe{Kind: Command, Args: []string{"x"}})
			s.LogPath = filepath.Join(t.TempDir(), "launch.log")
			got, err := Run(t.Context(), target, s)
			if err != nil || got.Verdict != test.verdict || got.LogTail != test.see || got.LogPath != s.LogPath {
				t.Errorf("%v: %s, people see %q, path %q", err, got.Verdict, got.LogTail, got.LogPath)
			}
			if text, err := os.ReadFile(s.LogPath); err != nil || string(text) != test.log {
				t.Errorf("%v: the log is %q", err, text)
			}
			if len(target.asked) != 1 || target.asked[0] != test.verdict || target.early {
				t.Errorf("asked %v, early %v", target.asked, target.early)
			}
		})
	}
}

func TestRunDoesNotReadWhatIsDeliveredWhenInterrupted(t *testing.T) {
	t.Parallel()
	target := &late{fake: fake{launch: hang, begun: true}}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(30*time.Millisecond, cancel)
	if _, err := Run(ctx, target, spec(piProbe)); !errors.Is(err, context.Canceled) || len(target.asked) != 0 {
		t.Errorf("%v; asked %v", err, target.asked)
	}
}

func TestRunNotesWhatIsDeliveredAndCannotBeKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := &late{fake: fake{log: "x"}, text: "y"}
	target.endErr = errors.New("stuck")
	s := spec()
	s.LogPath = filepath.Join(dir, "launch.log")
	if err := os.Mkdir(s.LogPath, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := Run(t.Context(), target, s)
	if err != nil || got.Verdict != verdict.Pass || got.LogPath != "" {
		t.Fatalf("%v: %+v", err, got)
	}
	if last := got.Events[len(got.Events)-1].Text; !strings.HasPrefix(last, "the delivered logs cannot be kept: ") {
		t.Errorf("the last event is %q", last)
	}
}
