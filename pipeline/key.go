package pipeline

import (
	"context"
	"fmt"
	"os"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// opening is the signing key while it opens. That keeps one processor busy for a moment, on purpose (a stolen key file must
// be slow to guess at), and the build need not wait for it.
type opening struct {
	done   chan struct{}
	signer *sign.Signer
	err    error
}

func openKey(cfg config.Sign) *opening {
	o := &opening{done: make(chan struct{})}
	go func() {
		defer close(o.done)
		o.signer, o.err = loadSigner(cfg)
	}()
	return o
}

// whileKeyOpens builds, and then has the key. A key that does not open ends the build at once, and is the error.
func (r *run) whileKeyOpens(ctx context.Context, build func(context.Context) (candidate, error)) (candidate, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		if <-r.key.done; r.key.err != nil {
			stop()
		}
	}()
	c, err := build(ctx)
	if <-r.key.done; r.key.err != nil {
		return c, r.key.err
	}
	r.signer = r.key.signer
	// Whoever verifies needs the public key; without a key file this is the only place where it is.
	if writing := os.WriteFile(r.publicKey(r.home), r.signer.PublicPEM(), 0o644); err == nil && writing != nil {
		err = fmt.Errorf("%w: writing the public key: %w", verdict.ErrUsage, writing)
	}
	return c, err
}

// loadSigner opens the configured key, or makes one that lives as long as the run.
func loadSigner(cfg config.Sign) (*sign.Signer, error) {
	if cfg.Key == "" {
		return sign.Ephemeral()
	}
	return sign.Load(cfg.Key, cfg.Password)
}
