package pipeline

import (
	"fmt"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// RestrictVerify takes from cfg what could let an image pass a verification that whoever asked for it would not let pass,
// where a stranger may have written hallmark.yaml: who counts and which Sigstore vouches for them (sign), which evidence
// must be there (promote.require), and how registries are reached (registry). These are then as in own, the configuration
// without its file. All else that the file says of a verification can only ask for more: verify, whose defaults ask for
// nothing, and the settings that evidence must have been made with.
//
// The note says so to people. The error is for a verification that has nobody left to believe; reason says why the file does
// not count.
func RestrictVerify(cfg, own *config.Config, with VerifyOptions, reason string) (note string, err error) {
	if len(with.Keys)+len(with.Identities)+len(own.Sign.Trust) == 0 && (own.Sign.Key == "" || own.Sign.Key.Keyless()) {
		return "", fmt.Errorf("%w: nobody to verify with: %s, so hallmark.yaml does not say here whose signatures count. Give --key, or --identity and --issuer (the action's inputs key, identity and issuer), or set HALLMARK_SIGN_TRUST",
			verdict.ErrUsage, reason)
	}
	cfg.Sign, cfg.Promote.Require, cfg.Registry = own.Sign, own.Promote.Require, own.Registry
	if cfg.File == "" {
		return "", nil
	}
	return "What sign, promote.require and registry say in hallmark.yaml does not count here: " + reason, nil
}
