// Package pause waits, and no longer than whoever asked for the work wants to.
package pause

import (
	"context"
	"time"
)

// For waits for d, or until ctx ends; then the error is why it did.
func For(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
