package pipeline

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// told keeps what people are told.
type told struct {
	mu  sync.Mutex
	all []string
}

// Event is for progress.
func (l *told) Event(e progress.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e.Text)
}

func TestWhoCannotLaunchIsToldAtOnce(t *testing.T) {
	t.Parallel()
	sandboxed, elsewhere := []config.Launch{{Target: "elsewhere"}, {Target: "sandbox"}}, []config.Launch{{Target: "elsewhere"}}
	refused := errors.New("no containers here")
	for _, test := range []struct {
		name     string
		noEngine error
		launches []config.Launch
		want     string
	}{
		{"an engine", nil, sandboxed, ""},
		{"no launch", refused, nil, ""},
		{"a launch elsewhere", refused, elsewhere, ""},
		{"a launch here", refused, sandboxed, "no containers here"},
	} {
		var heard told
		warnOfLaunches(progress.With(t.Context(), &heard), test.noEngine, test.launches)
		text := strings.Join(heard.all, "\n")
		if (text == "") != (test.want == "") || !strings.Contains(text, test.want) {
			t.Errorf("%s: heard %q", test.name, text)
		}
	}
}
