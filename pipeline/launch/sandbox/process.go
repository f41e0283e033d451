package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/inside"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
)

// process is one thing that runs in the container.
type process struct {
	name   string
	output *launch.ProcessOutput
	report *side // where the helper reports; nil for the first process, which runs without it
	handle gateway.ContainerProcess

	ended chan struct{}
	err   error // set when ended is closed: how the engine says it ended
}

// start begins a planned process. The first is the image's entry point itself, process 1 of the container; further
// ones run below the helper, so that the container outlives them.
func (c *cluster) start(ctx context.Context, planned launch.Process) (*process, error) {
	command := c.image.command(planned.Args)
	if len(command) == 0 {
		return nil, nothingToStart()
	}
	first := len(c.processes) == 0
	env := c.image.environment(c.plan.Env...)
	if first {
		env = append(env, c.held.Env())
	} else {
		command = append([]string{helperInside}, inside.RunArgs(0, command)...)
	}
	p, err := c.exec(ctx, planned.Name, command, env, !first)
	if err != nil {
		return nil, c.cannotStart(planned.Name, err)
	}
	c.processes = append(c.processes, p)
	c.event("the %s was started", planned.Name)
	return p, nil
}

// exec runs args in the container; helped says that they are the helper's.
func (c *cluster) exec(ctx context.Context, name string, args, env []string, helped bool) (*process, error) {
	return c.execTalking(ctx, name, args, env, helped, nil, nil)
}

// execTalking is exec for what reads standard input; also gets what it writes, as it comes. Both may be nil.
func (c *cluster) execTalking(ctx context.Context, name string, args, env []string, helped bool, stdin io.ReadCloser, also io.Writer) (*process, error) {
	p := &process{name: name, output: c.book.Output(name, progress.From(ctx)), ended: make(chan struct{})}
	request := gateway.StartRequest{
		Args: args, Env: env, User: c.image.config.User, Cwd: c.image.workdir(), Stdin: stdin,
		Stdout: p.output, Stderr: noClose{p.output},
	}
	if also != nil {
		request.Stdout = noClose{io.MultiWriter(p.output, also)}
	}
	if helped {
		p.report = &side{}
		request.Stderr = p.report
	}
	started := make(chan error, 1)
	go func() {
		// The process lives as long as the container, not as long as the call that started it.
		handle, err := c.container.Start(c.lifetime, request)
		p.handle = handle
		started <- err
		if err == nil {
			p.err = handle.Wait()
			_ = p.output.Close()
			close(p.ended)
		}
	}()
	select {
	case err := <-started:
		if err != nil {
			return nil, c.engine.Blame(err)
		}
		return p, nil
	case <-c.over:
		return nil, c.died()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask runs the helper and waits for its report. When ctx ends first, the helper is told to end, and the container is
// lost if it does not.
func (c *cluster) ask(ctx context.Context, name string, args []string) (inside.Report, *process, error) {
	p, err := c.exec(ctx, name, append([]string{helperInside}, args...), c.image.environment(c.plan.Env...), true)
	if err != nil {
		return inside.Report{}, nil, err
	}
	select {
	case <-p.ended:
	case <-c.over:
		return inside.Report{}, p, c.died()
	case <-ctx.Done():
		_ = p.handle.Signal(context.WithoutCancel(ctx), syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(3 * time.Second):
		}
		return inside.Report{}, p, ctx.Err()
	}
	report, err := inside.Parse(p.report.String())
	if err != nil {
		return report, p, c.lost(p, err)
	}
	return report, p, nil
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// exitCode is how the process ended, if that is known.
func (p *process) exitCode() (int, bool) {
	if !p.hasEnded() {
		return 0, false
	}
	if p.report != nil && p.err == nil {
		report, err := inside.Parse(p.report.String())
		return report.ExitCode, err == nil
	}
	if p.err == nil {
		return 0, true
	}
	// Where further processes were killed along with the first one, the engine tears down before it has its exit code.
	if e := (*gatewaypb.ExitError)(nil); errors.As(p.err, &e) && e.ExitCode <= 255 {
		return int(e.ExitCode), true
	}
	return 0, false
}

// side keeps the beginning of what the helper writes beside the command's output: its report.
type side struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

// sideLimit is more than any report: a page is at most 256 KiB, and JSON may write each byte as six.
const sideLimit = 2 << 20

func (s *side) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.Write(data[:min(len(data), max(0, sideLimit-s.kept.Len()))])
	return len(data), nil
}

func (s *side) Close() error { return nil }

func (s *side) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.String()
}

type noClose struct{ io.Writer }

func (noClose) Close() error { return nil }
