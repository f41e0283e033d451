package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

const lockPoll = 200 * time.Millisecond

// lock takes the state folder for one engine, waiting up to wait for another one. The file that it returns is
// inherited by the engine, so that the folder stays taken until both processes are gone.
func lock(ctx context.Context, root string, wait time.Duration) (*os.File, error) {
	path := filepath.Join(root, "engine.lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock of the engine's state folder: %w", err)
	}
	deadline := time.Now().Add(wait)
	told := false
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return file, recordHolder(file)
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			_ = file.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !told {
			told = true
			progress.From(ctx).Notef("waiting up to %s for %s, which uses the engine's state folder %s", wait, holder(file), root)
		}
		if time.Now().After(deadline) {
			who := holder(file)
			_ = file.Close()
			return nil, &verdict.Error{
				Verdict: verdict.Inconclusive, Code: "engine.busy", Doing: "waiting for the engine's state folder", Object: root,
				Cause:  fmt.Errorf("%s has held it for more than %s", who, wait),
				Remedy: "Try again when that run is over, or name another state folder",
			}
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

func recordHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("writing the engine's lock: %w", err)
	}
	if _, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		return fmt.Errorf("writing the engine's lock: %w", err)
	}
	return nil
}

// holder says who has the lock, in words.
func holder(file *os.File) string {
	text, _ := io.ReadAll(io.NewSectionReader(file, 0, 32))
	if pid := strings.TrimSpace(string(text)); pid != "" {
		return "another run (process " + pid + ")"
	}
	return "another run"
}
