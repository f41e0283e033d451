package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc/codes"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
)

const (
	// helperInside is where the helper is shown in the container: /dev is never part of a layer.
	helperInside = "/dev/hallmark"
	// releaseWithin bounds the engine's taking down of one container.
	releaseWithin = 15 * time.Second
	heartbeat     = time.Second
	// afterDeadline is how long the engine lets a container live on when nobody ends it: that is for Terminate.
	afterDeadline = time.Minute
	// unasked is how long a service without probes must go on. Programs that lack something end sooner.
	unasked = 5 * time.Second
)

// cluster is one container with everything that runs in it.
type cluster struct {
	id     string
	spec   launch.Spec
	engine Engine
	held   *engine.Sandbox
	shown  map[string]string // where the container sees files of this machine
	book   *launch.Logbook

	lifetime context.Context // of everything that the engine does for it
	cancel   context.CancelFunc
	once     sync.Once
	stop     chan struct{} // closed by Terminate
	made     chan struct{} // closed when image and container are set
	silent   chan struct{} // closed when the engine answers no more
	over     chan struct{} // closed when nothing of it is left; err is set then

	image     *image
	container gateway.Container
	plan      launch.Plan
	processes []*process
	err       error
	pulling   error // why the image could not be pulled, if so

	mu     sync.Mutex
	events []launch.Event
	final  *engine.SandboxReport // what the engine had seen when the container was gone
	// Of the profile databricks.
	scripts []launch.ScriptResult
	driver  string // what the driver said it runs
	survey  launch.Survey
}

// ID names the container's run on this machine.
func (c *cluster) ID() string { return c.id }

// begin asks the engine for the container, in the background: the container lives as long as the engine's call does.
func (c *cluster) begin(ctx context.Context, options Options) {
	// Not the caller's context: a launch that was given up is ended by Terminate, in good order. A deadline holds anyhow.
	c.lifetime, c.cancel = context.WithDeadline(context.WithoutCancel(ctx), c.spec.Deadline.Add(afterDeadline))
	var attached []session.Attachable
	if options.Credentials != nil {
		attached = append(attached, engine.Credentials(options.Credentials))
	}
	statuses := make(chan *client.SolveStatus)
	go show(ctx, statuses)
	go c.watch()
	go func() {
		defer c.cancel()
		_, err := c.engine.Client().Build(c.lifetime, client.SolveOpt{Session: attached, Internal: true}, "hallmark", c.hold, statuses)
		if c.err = c.engine.Blame(err); c.pulling != nil && c.err == err {
			c.err = c.pulling
		}
		close(c.over)
	}()
}

// watch asks the engine from time to time whether it is there: a call that waits for a container to end does not notice
// that the other side is gone.
func (c *cluster) watch() {
	for {
		select {
		case <-c.over:
			return
		case <-time.After(heartbeat):
		}
		asking, cancel := context.WithTimeout(c.lifetime, 5*time.Second)
		_, err := c.engine.Client().ListWorkers(asking)
		cancel()
		if code := grpcerrors.Code(err); err != nil && (code == codes.Unavailable || code == codes.Canceled && c.lifetime.Err() == nil) {
			close(c.silent)
			return
		}
	}
}

// hold makes the container and keeps it until it is to go.
func (c *cluster) hold(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
	started := time.Now()
	pulled, err := pull(ctx, gw, c.spec)
	if err != nil {
		c.pulling = err // what comes back through the engine's call is only its text
		return nil, err
	}
	c.event("the image was pulled by its digest and unpacked in %s", round(time.Since(started)))
	container, err := gw.NewContainer(ctx, gateway.NewContainerRequest{
		Hostname: "hallmark", NetMode: pb.NetMode_NONE,
		Mounts: []gateway.Mount{{Dest: "/", MountType: pb.MountType_BIND, Ref: pulled.root}},
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
		defer cancel()
		_ = container.Release(releasing) // says again how the processes ended
	}()
	c.image, c.container = pulled, container
	if c.spec.Profile == launch.Databricks {
		pulled.asPlatform()
	}
	close(c.made)
	select {
	case <-c.stop:
	case <-ctx.Done():
	case <-c.silent:
		return nil, errors.New("the connection to the engine broke")
	}
	return gateway.NewResult(), nil
}

// up starts the plan's processes, one when the one before is ready.
func (c *cluster) up(ctx context.Context) error {
	select {
	case <-c.made:
	case <-c.over:
		return blamePull(c.spec, c.err)
	case <-ctx.Done():
		return givenUp(ctx, c.spec, "the image was not pulled and unpacked in time")
	}
	c.plan = launch.PlanFor(c.spec.Profile, c.image.lookup, c.spec.Limits)
	if c.spec.Profile == launch.Databricks {
		return c.upDatabricks(ctx)
	}
	for _, planned := range c.plan.Processes {
		if err := c.bringUp(ctx, planned); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) bringUp(ctx context.Context, planned launch.Process) error {
	p, err := c.start(ctx, planned)
	if err != nil {
		return err
	}
	started := time.Now()
	for _, page := range planned.Ready {
		if err := c.waitFor(ctx, p, page); err != nil {
			return err
		}
		c.event("%s answers on port %d, %s after the start of the %s", page.Name, page.Port, round(time.Since(started)), p.name)
	}
	if len(planned.Ready) == 0 && len(c.spec.Probes) == 0 {
		return c.lasts(ctx, p)
	}
	return nil
}

// lasts waits a while for a process that nobody asks anything: that it goes on is all that can be known of it.
func (c *cluster) lasts(ctx context.Context, p *process) error {
	select {
	case <-p.ended:
		return c.ended(p, "")
	case <-c.over:
		return c.died()
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(unasked):
		c.event("the %s still runs %s after its start; nothing was asked of it", p.name, unasked)
		return nil
	}
}

// Logs is what everything in the container has written so far.
func (c *cluster) Logs(context.Context) (io.ReadCloser, error) { return c.book.Reader(), nil }

// Terminate ends the container.
func (c *cluster) Terminate(ctx context.Context) error {
	c.once.Do(func() { close(c.stop) })
	select {
	case <-c.over:
		return c.settle()
	case <-time.After(releaseWithin):
	case <-ctx.Done():
	}
	c.cancel()
	select {
	case <-c.over:
		return c.settle()
	case <-time.After(5 * time.Second):
		return errors.New("the engine does not let the container go; it goes with the engine")
	}
}

// settle keeps the engine's last report, and drops its file.
func (c *cluster) settle() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.final != nil {
		return nil
	}
	report, found, err := c.held.Report()
	if found && err == nil {
		c.final = &report
	}
	return c.held.Close()
}

// seen is what the engine has seen of the container so far.
func (c *cluster) seen() (engine.SandboxReport, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.final != nil {
		return *c.final, true, nil
	}
	return c.held.Report()
}

func (c *cluster) event(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, launch.Event{At: time.Now(), Text: fmt.Sprintf(format, args...)})
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
