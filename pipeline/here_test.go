package pipeline

import (
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
	for _, test := range []struct {
		goos     string
		launches []config.Launch
		want     string
	}{
		{"linux", sandboxed, ""},
		{"darwin", nil, ""},
		{"darwin", elsewhere, ""},
		{"darwin", sandboxed, "macOS"},
		{"windows", sandboxed, "Windows"},
	} {
		var heard told
		warnOfLaunches(progress.With(t.Context(), &heard), test.goos, test.launches)
		text := strings.Join(heard.all, "\n")
		if (text == "") != (test.want == "") || !strings.Contains(text, test.want) {
			t.Errorf("%s with %d launches hears %q", test.goos, len(test.launches), text)
		}
	}
}
