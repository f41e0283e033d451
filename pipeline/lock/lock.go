// Package lock keeps processes on one machine out of each other's folders: whoever holds the lock file has the folder,
// and the others wait, say for what, and wait no longer than they were told to.
//
// Those who hold no lock read files that are there whole or not at all: Write makes them so.
//
// The package knows files and processes, not what the folders are for. A lock goes with the process that holds it, however that
// ends. What a system does in its own way stands in files that bear its name: Windows locks no folders, and replaces no
// file that somebody reads.
package lock

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// DefaultWait is how long to wait where nobody says otherwise: longer than most runs, shorter than most jobs.
const DefaultWait = 30 * time.Minute

// poll is how often a waiting process looks again.
const poll = 100 * time.Millisecond

// patience is how long nobody is told of the wait. It is longer than a process that is just being started keeps a copy
// of the descriptor.
const patience = 500 * time.Millisecond

// Folder is what is to be taken.
type Folder struct {
	Path string        // of the folder, which must be there
	File string        // name of the lock file in it
	What string        // the folder as people read it: "the engine's state folder"
	Code string        // of the error when it stays taken: "engine.busy"
	Wait time.Duration // 0: DefaultWait
}

// Take waits for the folder and takes it. The file that it returns holds the lock until it, and every copy of it that
// another process has inherited, is closed.
func Take(ctx context.Context, f Folder) (*os.File, error) {
	if f.Wait == 0 {
		f.Wait = DefaultWait
	}
	file, err := os.OpenFile(filepath.Join(f.Path, f.File), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of %s: %w", f.What, err)
	}
	if err := take(ctx, f, file); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func take(ctx context.Context, f Folder, file *os.File) error {
	began := time.Now()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for told := false; ; {
		free, err := try(file)
		if err != nil {
			return fmt.Errorf("locking %s %s: %w", f.What, f.Path, err)
		}
		if free {
			return sign(file, f)
		}
		if waited := time.Since(began); waited >= f.Wait {
			return &verdict.Error{
				Verdict: verdict.Inconclusive, Code: f.Code, Doing: "waiting for " + f.What, Object: f.Path,
				Cause:  fmt.Errorf("%s has held it for more than %s", holder(file), f.Wait),
				Remedy: "Try again when that run is over, allow a longer wait (engine.wait), or give each run a HALLMARK_HOME of its own",
			}
		} else if !told && waited >= patience {
			told = true
			progress.From(ctx).Notef("waiting up to %s for %s, which uses %s %s", f.Wait, holder(file), f.What, f.Path)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// sign writes into the lock who has it, for those who wait.
func sign(file *os.File, f Folder) error {
	err := file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		return fmt.Errorf("writing the lock of %s: %w", f.What, err)
	}
	return nil
}

// holder says who has the lock, in words.
func holder(file *os.File) string {
	text, _ := io.ReadAll(io.NewSectionReader(file, 0, 32))
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		return fmt.Sprintf("another run (process %d)", pid)
	}
	return "another run"
}
