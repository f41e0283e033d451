// Package sandbox launches images on this machine, in a container of the embedded engine.
//
// The image is pulled from the registry by digest, as a consumer would pull it. The container has a network of its own
// with nothing but loopback, the limits that were asked for, and the image's entry point, environment, user and working
// directory. Pages are fetched and commands run from inside, by package inside.
//
// It must not know what a probe means: package launch says what to run and judges the answers.
package sandbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/moby/buildkit/client"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Engine is what the sandbox needs of an *engine.Engine.
type Engine interface {
	Client() *client.Client
	Reason() string
	Sandbox(limits engine.Limits, binds []engine.Bind) (*engine.Sandbox, error)
	// Blame tells an engine that died from everything else.
	Blame(err error) error
}

// Options say what the sandbox works with.
type Options struct {
	// Engine runs the containers. Its state should be its own, not that of the engine that built the image, or else
	// nothing is pulled.
	Engine Engine
	// Credentials are asked when the registry wants some; nil: anonymous.
	Credentials engine.CredentialsFunc
	// Helper is a static program that calls inside.Main for the verb inside.Verb; empty: the running one.
	Helper string
}

// Target is the sandbox.
type Target struct {
	options Options
}

// New returns a sandbox.
func New(options Options) (*Target, error) {
	program, err := helper(options.Helper)
	if err != nil {
		return nil, err
	}
	options.Helper = program
	return &Target{options: options}, nil
}

// Name is the target's word.
func (t *Target) Name() string { return "sandbox" }

// Launch pulls the image, starts what the profile says, and returns when every page answers.
func (t *Target) Launch(ctx context.Context, spec launch.Spec) (launch.Cluster, error) {
	for _, probe := range spec.Probes {
		if probe.Kind == launch.R || probe.Kind == launch.Fuse || probe.Kind == launch.GPU {
			return nil, fmt.Errorf("%w: the sandbox has no probe %s", verdict.ErrUsage, probe.Kind)
		}
	}
	limits := engine.Limits{Memory: spec.Limits.Memory, CPUs: spec.Limits.CPUs, PIDs: spec.Limits.PIDs}
	places, binds, err := shown(spec)
	if err != nil {
		return nil, err
	}
	held, err := t.options.Engine.Sandbox(limits, append(binds, engine.Bind{Source: t.options.Helper, Target: helperInside}))
	if err != nil {
		return nil, err
	}
	c := &cluster{
		id: "sandbox-" + name(spec.RunID), spec: spec, engine: t.options.Engine, held: held, shown: places,
		book: launch.NewLogbook(), stop: make(chan struct{}), made: make(chan struct{}), silent: make(chan struct{}), over: make(chan struct{}),
	}
	c.begin(ctx, t.options)
	return c, c.up(ctx)
}

// name makes a run's id fit for a host name, and unique on this machine.
func name(runID string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return -1
	}, strings.ToLower(runID))
	unique := strings.ToLower(rand.Text()[:8])
	if clean = strings.Trim(clean, "-"); clean == "" {
		return unique
	}
	return clean[:min(len(clean), 32)] + "-" + unique
}
