package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Choice says which engine is wanted. The zero value leaves it to the surroundings.
type Choice struct {
	// Address is what a flag or the configuration names: "embedded", "docker", or the address of a buildkitd, for
	// example "tcp://buildkit.example.com:1234" or "unix:///run/buildkit/buildkitd.sock". Empty: see Choose.
	Address string
	// Embedded is how the embedded engine is run if it is the one.
	Embedded Options
}

const (
	hostVariable = "BUILDKIT_HOST"
	answerWait   = 20 * time.Second
)

// Choose opens the first of: the engine that choice names; a buildkitd at BUILDKIT_HOST; the embedded engine, for
// root with the rights of a machine's; Docker's. It tells the choice and its reason to whoever watches ctx, and never
// falls back from an engine that was named or that failed: a build that quietly ran elsewhere would not be the one that
// was asked for.
func Choose(ctx context.Context, choice Choice) (*Engine, error) {
	engine, err := choose(ctx, choice)
	if err != nil {
		return nil, err
	}
	progress.From(ctx).Notef("building with %s", engine.Reason())
	return engine, nil
}

// Would says which kind of engine Choose would open for an address, without opening it.
func Would(address string) Kind {
	switch {
	case address == string(Embedded), address == string(Docker):
		return Kind(address)
	case address != "", os.Getenv(hostVariable) != "":
		return Remote
	case WhyNot() == "":
		return Embedded
	default:
		return Docker
	}
}

func choose(ctx context.Context, choice Choice) (*Engine, error) {
	host, why := os.Getenv(hostVariable), WhyNot()
	switch {
	case choice.Address == string(Embedded):
		return because(Start(ctx, choice.Embedded))("asked for by name")
	case choice.Address == string(Docker):
		return because(connectDocker(ctx))("asked for by name")
	case choice.Address != "":
		return because(Connect(ctx, choice.Address))("asked for by address")
	case host != "":
		return because(Connect(ctx, host))("named by " + hostVariable)
	case why == "":
		return because(Start(ctx, choice.Embedded))("this is root and " + hostVariable + " is not set")
	case dockerReachable():
		return because(connectDocker(ctx))(why + ", " + hostVariable + " is not set, and Docker's socket may be used")
	}
	return nil, none(runtime.GOOS, why, whyNoDocker())
}

// whyNoDocker says what is in the way of Docker's socket.
func whyNoDocker() string {
	host, err := findDocker()
	if err != nil {
		return err.Error()
	}
	return "Docker's socket " + host.String() + " cannot be used"
}

// because adds the reason to an engine that was opened.
func because(engine *Engine, err error) func(string) (*Engine, error) {
	return func(reason string) (*Engine, error) {
		if err != nil {
			return nil, err
		}
		engine.reason += ": " + reason
		return engine, nil
	}
}

// Connect opens a buildkitd at address and makes sure that it answers.
func Connect(ctx context.Context, address string) (*Engine, error) {
	if scheme, _, found := strings.Cut(address, "://"); !found || scheme == "" {
		return nil, fmt.Errorf("%w: the engine's address %q has no scheme: write tcp://HOST:PORT or unix:///PATH, or \"embedded\" or \"docker\"", verdict.ErrUsage, address)
	}
	c, err := connect(ctx, address, nil, nil)
	if err != nil {
		return nil, unreachable("BuildKit at "+address, err)
	}
	return answering(ctx, &Engine{kind: Remote, client: c, reason: "BuildKit at " + address})
}

func answering(ctx context.Context, e *Engine) (*Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	workers, err := e.client.ListWorkers(ctx)
	if err == nil && len(workers) == 0 {
		err = errors.New("it has no workers")
	}
	if err != nil {
		_ = e.client.Close()
		return nil, unreachable(e.reason, err)
	}
	return e, nil
}

func unreachable(what string, cause error) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.unreachable", Doing: "connecting to", Object: what, Cause: cause,
		Remedy: "Check that it runs and that this user may use it, or unset " + hostVariable + " to use " + otherwise(runtime.GOOS),
	}
}

func connectDocker(ctx context.Context) (*Engine, error) {
	host, err := findDocker()
	if err != nil {
		return nil, err
	}
	socket, err := host.socket(runtime.GOOS)
	if err != nil {
		return nil, err
	}
	d := newDaemon(socket)
	if err := d.learn(ctx); err != nil {
		return nil, dockerUnreachable(ctx, host.String(), err)
	}
	if err := knock(ctx, socket); err != nil {
		return nil, noBuildKit(ctx, host, d, err)
	}
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return hijack(ctx, socket, grpcDoor, nil) }
	session := client.WithSessionDialer(func(ctx context.Context, _ string, meta map[string][]string) (net.Conn, error) {
		return hijack(ctx, socket, sessionDoor, meta)
	})
	c, err := connect(ctx, "passthrough:///docker", dial, []client.ClientOpt{session})
	if err != nil {
		return nil, dockerUnreachable(ctx, host.String(), err)
	}
	what := fmt.Sprintf("Docker's BuildKit at %s (Docker %s)", host, d.version)
	return answering(ctx, &Engine{kind: Docker, client: c, reason: what, daemon: d})
}

func dockerUnreachable(ctx context.Context, where string, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.unreachable", Doing: "connecting to", Object: "Docker at " + where, Cause: cause,
		Remedy: "Check that its daemon runs and that this user may use it (docker info says), or " + instead(runtime.GOOS),
	}
}

// noBuildKit says that the daemon answers, but has no BuildKit behind its door.
func noBuildKit(ctx context.Context, host dockerHost, d *daemon, cause error) error {
	if statusOf(cause) == 0 {
		return dockerUnreachable(ctx, host.String(), cause)
	}
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.no-buildkit", Doing: "building with", Object: fmt.Sprintf("Docker %s at %s", d.version, host),
		Cause:  fmt.Errorf("it has no BuildKit: %w", cause),
		Remedy: "Take Docker 20.10 or later (23 or later is better), or " + instead(runtime.GOOS),
	}
}
