// Package databricks launches images as single-node clusters of a Databricks workspace, through the official API.
//
// It asks the workspace first whether the launch can work and tells everything that speaks against it at once; then it
// creates a cluster from exactly the staged image, waits for it, puts probes through command execution, and deletes the
// cluster for good, also when it is interrupted. Every cluster carries tags by which Cleanup finds it.
//
// It must not know what a probe's answer means, which package launch judges, nor what a termination code means, which
// package reasons knows. No type of the SDK leaves it, and no secret does.
package databricks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/pause"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Options are what a launch needs besides the settings.
type Options struct {
	Settings
	// Tag is the staging tag as a reference, host/repository:tag, that the cluster pulls where it does not take a digest.
	Tag string
	// TagDigest reads the digest that the staging tag points to; nil: it is not read.
	TagDigest func(context.Context) (string, error)
	// Private says whether the registry wants credentials for the image; nil: nobody knows.
	Private func(context.Context) (bool, error)
	// InImage is the digest of a file of the image, and whether it is there; nil: nobody looks.
	InImage func(ctx context.Context, path string) (digest string, there bool, err error)
	// Memory is the file in which answers of workspaces are kept; empty: nothing is remembered.
	Memory string
	// Transport reaches the workspace; nil: the usual one.
	Transport http.RoundTripper

	// wait sleeps; nil: really. Tests replace it.
	wait func(context.Context, time.Duration) error
}

// Target is one workspace, for one launch.
type Target struct {
	options Options

	mu      sync.Mutex
	space   *workspace // nil: not connected yet
	plan    *plan      // nil: not asked yet
	attempt int
	again   bool // the last fault may be gone on a fresh cluster
	doubt   bool // a cluster may have been created whose id nobody knows
	ids     []string
}

// New returns the workspace that the settings, the environment and .databrickscfg name. It opens no connection yet.
func New(options Options) (*Target, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	if options.wait == nil {
		options.wait = pause.For
	}
	for _, script := range options.Scripts {
		maskQuery(script.Path)
	}
	maskQuery(options.LogDelivery)
	return &Target{options: options}, nil
}

// maskQuery hides what an address has behind a question mark: whoever writes something there writes a signature.
func maskQuery(address string) {
	_, query, _ := strings.Cut(address, "?")
	secret.Mask(query)
	for part := range strings.SplitSeq(query, "&") {
		if _, value, _ := strings.Cut(part, "="); len(value) >= shortestSignature {
			secret.Mask(value)
		}
	}
}

// shortestSignature tells signatures from dates and names of permissions.
const shortestSignature = 16

// Name is the target's word.
func (t *Target) Name() string { return "databricks" }

// Run is launch.Run, and again on a fresh cluster, up to the configured number of times, where the surroundings failed in
// a way that may be gone then. The image's faults and mistakes of the configuration are never retried.
func (t *Target) Run(ctx context.Context, spec launch.Spec) (*launch.Result, error) {
	started := time.Now()
	if spec.Timeout <= 0 {
		spec.Timeout = launch.DefaultTimeout
	}
	spec.Deadline = started.Add(spec.Timeout) // of all attempts together
	var before []launch.Event
	var notes []string
	for attempt := 1; ; attempt++ {
		t.begin(attempt)
		begun, one := time.Now(), spec
		one.LogPath = numberedLog(spec.LogPath, attempt)
		result, err := launch.Run(ctx, t, one)
		if result == nil {
			return nil, err
		}
		result.Started, result.Events = started, append(before, result.Events...)
		result.Notes = append(notes, result.Notes...)
		if err != nil || result.Verdict != verdict.Inconclusive || !t.mayTryAgain() || attempt > t.options.Retries {
			return result, err
		}
		if left := time.Until(spec.Deadline); left < time.Since(begun) { // the next one would end for want of time, and hide the cause
			result.Events = append(result.Events, launch.Event{At: time.Now(), Text: fmt.Sprintf("no fresh cluster is tried: the launch has %s left", max(left, 0).Round(time.Second))})
			return result, err
		}
		notes, before = result.Notes, append(result.Events, launch.Event{At: time.Now(), Text: fmt.Sprintf("attempt %d ended: %s; a fresh cluster is tried", attempt, result.Reason)})
		progress.From(ctx).Warnf("Attempt %d of %d ended: %s. A fresh cluster is tried.", attempt, t.options.Retries+1, result.Reason)
	}
}

// numberedLog keeps the logs of all attempts: launch.log, launch-2.log.
func numberedLog(path string, attempt int) string {
	if path == "" || attempt == 1 {
		return path
	}
	ending := filepath.Ext(path)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ending), attempt, ending)
}

func (t *Target) begin(attempt int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempt, t.again = attempt, false
}

func (t *Target) mayTryAgain() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.again
}

// mark notes whether the fault that the launch is about to end with may be gone on a fresh cluster.
func (t *Target) mark(again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.again = again
}

// Preflight connects, asks the workspace everything that a launch depends on, and tells all problems together. It asks
// once; later calls have the same answer.
func (t *Target) Preflight(ctx context.Context, spec launch.Spec) error {
	_, _, err := t.ready(ctx, spec)
	return err
}

func (t *Target) ready(ctx context.Context, spec launch.Spec) (*workspace, *plan, error) {
	t.mu.Lock()
	space, known := t.space, t.plan
	t.mu.Unlock()
	if known != nil {
		return space, known, nil
	}
	space, err := connect(ctx, t.options)
	if err != nil {
		return nil, nil, err
	}
	made, err := space.preflight(ctx, t.options, spec)
	if err != nil {
		return space, nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.space, t.plan = space, made
	return space, made, nil
}

// Launch creates a cluster from the image and returns when commands can be put to it.
func (t *Target) Launch(ctx context.Context, spec launch.Spec) (launch.Cluster, error) {
	space, made, err := t.ready(ctx, spec)
	if err != nil {
		return nil, t.surely(orSilent(ctx, space, spec, err))
	}
	for _, url := range made.urls {
		c := newCluster(ctx, t, space, made, spec, url)
		err := orSilent(ctx, space, spec, c.up(ctx))
		if err == nil {
			return c, nil
		}
		if !url.trial || !formRefused(err) || ctx.Err() != nil {
			return c, t.surely(err)
		}
		// The platform may not take this form of the URL: the next one tells whether it was that.
		c.event("the image's URL was not taken as %s; %s is tried", url.text, made.urls[len(made.urls)-1].text)
		made.before = append(made.before, c.takenEvents()...)
		if err := c.end(ctx); err != nil {
			return c, t.surely(err)
		}
	}
	return nil, errors.New("no form of the image's URL is left")
}

// orSilent says that the launch's time is over because the workspace does not answer any more, where that is so.
func orSilent(ctx context.Context, space *workspace, spec launch.Spec, err error) error {
	if space == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*fault)) || space.wire.silence() < lookWithin {
		return err
	}
	return noAnswer(false, "%s does not answer: it was silent for the last %s of the launch's %s", space.name(), space.wire.silence().Round(time.Second), spec.Timeout.Round(time.Second))
}

// surely keeps what marks an error as one of the caller's own deadline or interrupt.
func (t *Target) surely(err error) error {
	if e := (*fault)(nil); errors.As(err, &e) {
		t.mark(e.again)
		return e.of
	}
	return err
}

// fault is a launch's error with what may be done about it.
type fault struct {
	of    *launch.Error
	again bool // a fresh cluster may do
}

func (f *fault) Error() string { return f.of.Error() }
func (f *fault) Unwrap() error { return f.of }

// reasonOf is an error as part of a sentence.
func reasonOf(err error) string {
	if e := (*fault)(nil); errors.As(err, &e) {
		return e.of.Reason
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return short(err)
}

// unwrapped is an error for callers outside this package.
func unwrapped(err error) error {
	e := (*fault)(nil)
	switch {
	case !errors.As(err, &e):
		return err
	case e.of.Code == launch.CodeConfiguration:
		return fmt.Errorf("%w: %s. %s", verdict.ErrUsage, e.of.Reason, e.of.Remedy)
	}
	return &verdict.Error{Verdict: e.of.Verdict, Code: e.of.Code, Doing: e.of.Reason, Remedy: e.of.Remedy}
}
