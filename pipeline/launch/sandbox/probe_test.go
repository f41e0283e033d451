package sandbox

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// A helper that says nothing in time speaks for a busy machine; what it does say is judged as it is.
func TestSilenceInsideIsNotTheImages(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, test := range []struct {
		name  string
		err   error
		want  error
		fault bool
	}{
		{"an answer", nil, nil, false},
		{"another error", broken, broken, false},
		{"an interrupt", context.Canceled, context.Canceled, false},
		{"silence", fmt.Errorf("asking: %w", context.DeadlineExceeded), nil, true},
	} {
		out, err := heard(launch.Output{Text: "what it wrote"}, test.err, launch.Probe{Name: "http :8080/", Timeout: time.Minute})
		if !errors.Is(err, test.want) || (out.Fault != nil) != test.fault || out.Text != "what it wrote" {
			t.Errorf("%s: %+v, %v", test.name, out, err)
		}
		if out.Fault != nil && out.Fault.Verdict != verdict.Inconclusive {
			t.Errorf("%s blames the image: %+v", test.name, out.Fault)
		}
	}
}
