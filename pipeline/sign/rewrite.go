package sign

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/registry"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// merge makes the manifest that a tag should hold of the one that it holds; old is nil where there is none. done says
// that nothing is missing from old.
type merge func(ctx context.Context, old *registry.Manifest) (merged registry.Manifest, done bool, err error)

const (
	rewrites = 12                    // tries before giving up on a tag that others keep writing
	settle   = 15 * time.Millisecond // the least time after which a write is looked at again
)

// rewrite brings a tag that several writers add to into the state that merge asks for.
//
// Most registries have no compare-and-swap that one may rely on: If-Match is sent, and helps where it is honoured, but only
// the embedded one says so. Elsewhere a writer that read before we wrote may overwrite us. It is looked for: after a write
// the tag is read again, not at once but after twice the time that reading and writing took us, and the missing is added
// again.
func (s *Signer) rewrite(ctx context.Context, c *registry.Client, at subject.Subject, tag string, m merge) error {
	defer s.lock(at.Tagged(tag))()
	for try := range rewrites {
		started := time.Now()
		old, digest, found, err := manifestAt(ctx, c, at.Repository, tag)
		if err != nil {
			return err
		}
		var before *registry.Manifest
		if found {
			before = &old
		}
		merged, done, err := m(ctx, before)
		if err != nil {
			return fmt.Errorf("adding to %s: %w", at.Tagged(tag), err)
		}
		if done {
			return nil
		}
		now := subject.Subject{Repository: at.Repository, Digest: merged.Digest()}
		compared, err := c.CompareAndTag(ctx, now, tag, registry.TagOptions{IfMatch: digest, IfAbsent: !found, Manifest: merged})
		if err != nil && !errors.Is(err, verdict.ErrConflict) && !errors.Is(err, registry.ErrUncertain) {
			return err
		}
		if err == nil && compared {
			return nil
		}
		wait := max(settle, 2*time.Since(started))
		wait += time.Duration(rand.Int64N(int64(wait) * int64(try+1))) // writers that collided must not meet again
		if err == nil && try == 0 {
			wait = max(settle, 2*time.Since(started))
		}
		if err := pause.For(ctx, wait); err != nil {
			return err
		}
		if err == nil {
			if current, there, err := c.Head(ctx, at.Repository, tag); err != nil {
				return err
			} else if there && current == now.Digest {
				return nil
			}
		}
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: CodeContended, Doing: "adding to", Object: at.Tagged(tag),
		Cause:  fmt.Errorf("others kept overwriting it, %d times", rewrites),
		Remedy: "Run again when the other runs on this image have ended",
	}
}
