package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/sandbox/inside"
)

// talk is a program in the container that is talked to.
type talk struct {
	*process
	input *io.PipeWriter
}

// endWithin is how long a program has to end once its input is over, or it was told to.
const endWithin = 3 * time.Second

// Talk starts a program that goes on and reads what is written to it; output gets what it writes, as it comes. It ends
// with the container at the latest.
func (c *cluster) Talk(ctx context.Context, name string, args []string, output io.Writer) (launch.Talk, error) {
	if err := c.alive(); err != nil {
		return nil, err
	}
	reader, writer := io.Pipe()
	p, err := c.execTalking(ctx, name, append([]string{helperInside}, inside.TalkArgs(args)...), c.image.environment(c.plan.Env...), true, reader, output)
	if err != nil {
		return nil, err
	}
	t := &talk{process: p, input: writer}
	go func() { // a write must not wait for a reader that is gone
		select {
		case <-p.ended:
		case <-c.over:
		}
		_ = reader.CloseWithError(io.ErrClosedPipe)
	}()
	return t, nil
}

// Write is the program's standard input.
func (t *talk) Write(data []byte) (int, error) { return t.input.Write(data) }

// Ended is closed when the program has ended.
func (t *talk) Ended() <-chan struct{} { return t.ended }

// Interrupt is what Ctrl-C would be.
func (t *talk) Interrupt(ctx context.Context) error { return t.handle.Signal(ctx, inside.Interrupt()) }

// End lets the program end, and ends it if it does not.
func (t *talk) End(ctx context.Context) error {
	_ = t.input.Close()
	for _, signal := range []syscall.Signal{0, syscall.SIGTERM} {
		if signal != 0 && !t.hasEnded() {
			_ = t.handle.Signal(ctx, signal)
		}
		select {
		case <-t.ended:
			return nil
		case <-time.After(endWithin):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("%s does not end; it goes with its container", t.name)
}

// Put writes a file in the container.
func (c *cluster) Put(ctx context.Context, path string, body []byte) error {
	reader, writer := io.Pipe()
	p, err := c.execTalking(ctx, "hallmark", append([]string{helperInside}, inside.PutArgs(path)...), c.image.environment(c.plan.Env...), true, reader, nil)
	if err != nil {
		return err
	}
	go func() {
		_, err := writer.Write(body)
		_ = writer.CloseWithError(err)
	}()
	select {
	case <-p.ended:
	case <-c.over:
		err = c.died()
	case <-ctx.Done():
		err = ctx.Err()
	}
	_ = reader.CloseWithError(io.ErrClosedPipe) // whoever writes is let go
	if err != nil {
		return err
	}
	report, err := inside.Parse(p.report.String())
	if err == nil && report.Error != "" {
		err = errors.New(report.Error)
	}
	if err != nil {
		return fmt.Errorf("writing %s in the container: %w", path, err)
	}
	return nil
}

// Gone is closed when nothing can be asked of the container any more.
func (c *cluster) Gone() <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if len(c.processes) == 0 {
			<-c.over
			return
		}
		select {
		case <-c.over:
		case <-c.processes[0].ended:
		}
	}()
	return gone
}

// Why says what became of the container, once it is gone.
func (c *cluster) Why() error { return c.alive() }

// Survey is what the driver found in the image.
func (c *cluster) Survey() launch.Survey {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.survey
}

// Lookup finds a variable of what runs in the container.
func (c *cluster) Lookup(name string) (string, bool) { return c.lookup(name) }
