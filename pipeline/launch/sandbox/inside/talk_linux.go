package inside

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
)

// interrupt is the signal that this program passes on to a command that is talked to, and to what that has started, as
// SIGINT: Spark's shell is a script that waits for Java, and Java is who must hear of it. Its own ends it.
const interrupt = syscall.SIGUSR1

// talk runs a command that reads this program's standard input, to its end.
func talk(ctx context.Context, command []string, out io.Writer) (Report, error) {
	if len(command) == 0 {
		return Report{}, errors.New("run wants a command")
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, interrupt)
	defer signal.Stop(signals)
	cmd := grouped(ctx, command, out)
	cmd.Stdin = os.Stdin // the file itself: nothing is read ahead of the command
	if err := cmd.Start(); err != nil {
		return ended(ctx, cmd, err)
	}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-signals:
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
			case <-done:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(done)
	return ended(ctx, cmd, err)
}

// put writes a file, with its folders, in one move.
func put(path string, from io.Reader) (Report, error) {
	err := lock.WriteBy(path, 0o755, func(file io.Writer) error {
		_, err := io.Copy(file, from)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	return Report{Body: path, Files: 1}, nil
}

// Interrupt is the signal that interrupts what runs by TalkArgs.
func Interrupt() syscall.Signal { return interrupt }
