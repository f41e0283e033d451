package verdict_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("%w: reading hallmark.yaml: %w", verdict.ErrUsage, errors.New("it is empty")), "reading hallmark.yaml: it is empty"},
		{fmt.Errorf("reading it: %w: no such field", verdict.ErrUsage), "reading it: usage: no such field"},
		{errors.New("usage of memory: 3 GiB"), "usage of memory: 3 GiB"},
		{&verdict.Error{Doing: "pushing", Object: "spark", Cause: errors.New("refused"), Remedy: "Log in"}, "pushing spark: refused. Log in"},
	} {
		if got := verdict.Plain(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}

func TestWithoutPath(t *testing.T) {
	t.Parallel()
	other := errors.New("it is empty")
	for _, test := range []struct{ err, want error }{
		{&fs.PathError{Op: "open", Path: "/etc/shadow", Err: fs.ErrPermission}, fs.ErrPermission},
		{fmt.Errorf("reading: %w", &fs.PathError{Op: "open", Path: "/none", Err: fs.ErrNotExist}), fs.ErrNotExist},
		{other, other},
		{nil, nil},
	} {
		if got := verdict.WithoutPath(test.err); got != test.want {
			t.Errorf("%v: %v, want %v", test.err, got, test.want)
		}
	}
}
