package build

import (
	"errors"
	"strings"
	"sync"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// lookups remember why there was no credential for a host: an engine passes on nothing but words, from which nobody could
// tell whose fault it is.
type lookups struct {
	mu     sync.Mutex
	failed map[string]error // by host
}

// remember is lookup, whose errors are kept.
func (l *lookups) remember(lookup engine.CredentialsFunc) engine.CredentialsFunc {
	if lookup == nil {
		return nil
	}
	return func(host string) (user, secret string, err error) {
		user, secret, err = lookup(host)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failed[host] = err
		return user, secret, err
	}
}

// cause is the error that a build really ended with: that of a lookup, where the engine speaks of one.
func (l *lookups) cause(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for host, failed := range l.failed {
		if failed == nil || !strings.Contains(err.Error(), "credentials for "+host+": ") {
			continue
		}
		if known := (*verdict.Error)(nil); errors.As(failed, &known) {
			return failed
		}
		return &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "build.base-denied", Doing: "asking for the credential of", Object: host,
			Cause: failed, Remedy: "Mend what gives the credential, or log in anew",
		}
	}
	return err
}
