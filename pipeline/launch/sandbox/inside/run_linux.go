package inside

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"syscall"
	"time"
)

// lingering bounds the wait for output that orphans of an ended command hold open.
const lingering = 2 * time.Second

// run runs a command to its end, or to the end of its time: then it is killed with the process group it leads.
func run(ctx context.Context, command []string, within time.Duration, out io.Writer) (Report, error) {
	if len(command) == 0 {
		return Report{}, errors.New("run wants a command")
	}
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, within)
		defer cancel()
	}
	cmd := grouped(ctx, command, out)
	return ended(ctx, cmd, cmd.Run())
}

// grouped is a command that leads a process group, and is killed with it.
func grouped(ctx context.Context, command []string, out io.Writer) *exec.Cmd {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = lingering
	return cmd
}

// ended reports how a command ended.
func ended(ctx context.Context, cmd *exec.Cmd, err error) (Report, error) {
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return Report{TimedOut: true, ExitCode: 128 + int(syscall.SIGKILL)}, nil
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return Report{ExitCode: cmd.ProcessState.ExitCode()}, nil
	case errors.As(err, &ended):
		return Report{ExitCode: exitCode(ended)}, nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return Report{NoCommand: true, ExitCode: 127, Error: err.Error()}, nil
	default: // it is there and cannot be executed
		return Report{ExitCode: 126, Error: err.Error()}, nil
	}
}

func exitCode(ended *exec.ExitError) int {
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return ended.ExitCode()
}
