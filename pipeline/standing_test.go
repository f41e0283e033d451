package pipeline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/sign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// What the promotion would call too old must not be skipped, or no later run could ever mend it.
func TestOldEvidenceIsMadeAgain(t *testing.T) {
	t.Parallel()
	signer, err := sign.Ephemeral()
	if err != nil {
		t.Fatal(err)
	}
	s := newStaged(t, inProcess(t), signer)
	r := &run{book: newBook(nil), surroundings: s.surroundings, key: opened(signer)}
	for _, c := range []struct {
		allowed time.Duration
		stands  bool
	}{{time.Hour, true}, {0, true}, {time.Nanosecond, false}} {
		s.cfg.Promote.MaxAge = config.Duration(c.allowed)
		found, err := r.standing(t.Context(), s.subject)
		if err != nil {
			t.Fatal(err)
		}
		if !found.present || !found.signed {
			t.Errorf("allowing %s: present %t, signed %t; neither has an age", c.allowed, found.present, found.signed)
		}
		for kind, slot := range map[evidence.Kind]string{evidence.KindCheck: "", evidence.KindProvenance: "", evidence.KindLaunch: "sandbox/spark"} {
			if _, stands := found.find(kind, slot, evidence.Inputs(nil)); stands != c.stands {
				t.Errorf("allowing %s: %s stands: %t", c.allowed, kind, stands)
			}
		}
	}
}

func TestLaunchable(t *testing.T) {
	t.Parallel()
	spark, service := config.Launch{Target: "sandbox", Profile: "spark"}, config.Launch{Target: "sandbox", Profile: "service"}
	for want, launches := range map[string][]config.Launch{
		"":                            {spark, service},
		"launch[2] is the second one": {spark, service, spark},
	} {
		err := launchable(launches)
		switch {
		case want == "" && err != nil:
			t.Errorf("%v", err)
		case want != "" && (!errors.Is(err, verdict.ErrUsage) || !strings.Contains(err.Error(), want)):
			t.Errorf("%v, want a usage error with %q", err, want)
		}
	}
}

// opened is a key that need not be opened any more.
func opened(signer *sign.Signer) *opening {
	o := newOpening(config.Sign{}, sign.Ephemeral)
	o.begin.Do(func() { o.signer = signer; close(o.done) })
	return o
}
