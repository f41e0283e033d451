package registry

import (
	"context"
	"errors"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Private says whether the registry wants credentials from whoever pulls s. A registry that claims not to have what this
// client has just read, wants some.
func (c *Client) Private(ctx context.Context, s subject.Subject) (bool, error) {
	options := c.options
	options.Auth, options.OnlyAuth = nil, true
	stranger, err := New(options)
	if err != nil {
		return false, err
	}
	_, err = stranger.Manifest(ctx, s)
	denied := (*verdict.Error)(nil)
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, ErrNotFound), errors.As(err, &denied) && denied.Code == CodeDenied:
		return true, nil
	}
	return false, err
}
