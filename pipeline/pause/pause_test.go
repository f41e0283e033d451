package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
)

func TestFor(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	for _, test := range []struct {
		name      string
		asked     time.Duration
		cancelled time.Duration // when; 0: never
		took      time.Duration
		want      error
	}{
		{"to its end", time.Hour, 0, time.Hour, nil},
		{"cut short", time.Hour, time.Minute, time.Minute, enough},
		{"no time at all", 0, 0, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if test.cancelled > 0 {
					time.AfterFunc(test.cancelled, func() { cancel(enough) })
				}
				began := time.Now()
				if err := pause.For(ctx, test.asked); !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %s, want %s", took, test.took)
				}
			})
		})
	}
}
