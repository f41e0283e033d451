package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// opening is the signing key, which opens when somebody asks for it. That keeps one processor busy for a moment, on purpose
// (a stolen key file must be slow to guess at): so it is asked for early where something will be built and signed, and
// not at all where everything stands signed.
type opening struct {
	cfg    config.Sign
	load   func() (*sign.Signer, error)
	begin  sync.Once
	done   chan struct{}
	signer *sign.Signer
	err    error
}

func newOpening(cfg config.Sign, load func() (*sign.Signer, error)) *opening {
	return &opening{cfg: cfg, load: load, done: make(chan struct{})}
}

// start opens the key in the background. It may be called more than once.
func (o *opening) start() {
	o.begin.Do(func() {
		go func() {
			defer close(o.done)
			o.signer, o.err = o.load()
			if beside, found := publicBeside(o.cfg.Key.Ref()); o.err == nil && found && !bytes.Equal(bytes.TrimSpace(beside), bytes.TrimSpace(o.signer.PublicPEM())) {
				o.err = fmt.Errorf("%w: the public key beside %s belongs to another key: what this one signs would not verify with it", verdict.ErrUsage, o.cfg.Key)
			}
		}()
	})
}

// failed returns why the key did not open, as far as that is known by now.
func (o *opening) failed() error {
	select {
	case <-o.done:
		return o.err
	default:
		return nil
	}
}

// get waits for the key.
func (o *opening) get() (*sign.Signer, error) {
	o.start()
	<-o.done
	return o.signer, o.err
}

// public is the key that verifies what the signing key signs: from the file beside it, or else from itself; nil where no
// key signs.
func (o *opening) public() ([]byte, error) {
	if pem, found := publicBeside(o.cfg.Key.Ref()); found && o.cfg.Key != "" {
		return pem, nil
	}
	signer, err := o.get()
	if err != nil {
		return nil, err
	}
	return signer.PublicPEM(), nil
}

// buildWhileKeyOpens builds. A key that does not open ends the build at once, and is the error.
func (r *run) buildWhileKeyOpens(ctx context.Context) (candidate, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-r.key.done:
			if r.key.err != nil {
				stop()
			}
		case <-ctx.Done():
		}
	}()
	c, err := r.build(ctx)
	if failed := r.key.failed(); failed != nil {
		return c, failed
	}
	return c, err
}

// loadSigner opens the configured key, makes one that lives as long as the run, or finds out whom the run may sign as.
func (s *surroundings) loadSigner(ctx context.Context) (*sign.Signer, error) {
	switch cfg := s.cfg.Sign; {
	case cfg.Key == "":
		return sign.Ephemeral()
	case cfg.Key.Keyless():
		root, err := s.authorities.get(ctx)
		if err != nil {
			return nil, err
		}
		return sign.Keyless(ctx, root, s.token)
	default:
		return sign.Load(cfg.Key.Ref(), cfg.Password)
	}
}
