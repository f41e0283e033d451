package pipeline

import (
	"context"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
)

func (d *doctor) key(ctx context.Context) {
	if d.cfg.Sign.Key == "" {
		d.care("key", "hallmark key new, then name it in sign.key", "none: a run signs with one that lives as long as it does, which is worth nothing to anyone else")
		return
	}
	if d.cfg.Sign.Key.Keyless() {
		d.keyless(ctx)
		return
	}
	signer, err := sign.Load(d.cfg.Sign.Key.Ref(), d.cfg.Sign.Password)
	if err != nil {
		d.failed("key", err)
		return
	}
	d.well("key", "%s opens: %s", d.cfg.Sign.Key, signer.Name())
}

// keyless looks whether the job could sign without a key: its token, and the authorities by which it would be known. No
// certificate is asked for: each is in a public log for ever.
func (d *doctor) keyless(ctx context.Context) {
	token, err := d.token(ctx)
	if err != nil {
		d.failed("key", err)
	} else {
		subject, issuer, expires := ci.TokenSays(token)
		d.well("key", "none: a token of %s, by %s, until %s", subject, issuer, expires.UTC().Format(time.RFC3339))
	}
	if _, err := d.authorities.get(ctx); err != nil {
		d.failed("key", err)
		return
	}
	d.well("key", "the trusted root is there")
}
