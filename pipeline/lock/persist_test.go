package lock

import (
	"errors"
	"testing"
	"time"
)

func TestPersist(t *testing.T) {
	t.Parallel()
	open, other := errors.New("it is open"), errors.New("another reason")
	isOpen := func(err error) bool { return errors.Is(err, open) }
	for name, test := range map[string]struct {
		answers []error
		want    error
		calls   int
	}{
		"at once":         {[]error{nil}, nil, 1},
		"after a while":   {[]error{open, open, open, nil}, nil, 4},
		"another reason":  {[]error{other, nil}, other, 1},
		"another at last": {[]error{open, other, nil}, other, 2},
	} {
		calls := 0
		err := persist(func() error { calls++; return test.answers[calls-1] }, isOpen)
		if !errors.Is(err, test.want) || calls != test.calls {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
	began := time.Now()
	if err := persist(func() error { return open }, isOpen); !errors.Is(err, open) || time.Since(began) < patient || time.Since(began) > 3*patient {
		t.Errorf("it gives up with %v after %s", err, time.Since(began))
	}
}
