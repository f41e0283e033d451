package lock_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/lock"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func folder(t *testing.T) lock.Folder {
	return lock.Folder{Path: t.TempDir(), File: ".lock", What: "the test's folder", Code: "test.busy", Wait: 20 * time.Second}
}

// notes keeps what was told.
type notes struct {
	mu  sync.Mutex
	all []string
}

// Event is for progress.
func (n *notes) Event(e progress.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, e.Text)
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	f := folder(t)
	var inside, most atomic.Int32
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			held, err := lock.Take(t.Context(), f)
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(10 * time.Millisecond)
			inside.Add(-1)
			if err := held.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most.Load() != 1 {
		t.Errorf("%d held the folder at once", most.Load())
	}
}

// Whoever waits is told for whom, and how long at most.
func TestTheWaitIsTold(t *testing.T) {
	t.Parallel()
	f := folder(t)
	first, err := lock.Take(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Second, func() { first.Close() })
	seen := &notes{}
	second, err := lock.Take(progress.With(t.Context(), seen), f)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	want := fmt.Sprintf("waiting up to 20s for another run (process %d), which uses the test's folder %s", os.Getpid(), f.Path)
	if len(seen.all) != 1 || seen.all[0] != want {
		t.Errorf("told: %q, want %q once", seen.all, want)
	}
}

func TestTheWaitEnds(t *testing.T) {
	t.Parallel()
	f := folder(t)
	first, err := lock.Take(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()

	f.Wait = 200 * time.Millisecond
	_, err = lock.Take(t.Context(), f)
	var found *verdict.Error
	if !errors.As(err, &found) || found.Code != "test.busy" || found.Verdict != verdict.Inconclusive ||
		!strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("a folder that stays taken gives %v", err)
	}

	f.Wait = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := lock.Take(ctx, f); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was cut short gives %v", err)
	}
}

func TestNoFolder(t *testing.T) {
	t.Parallel()
	f := folder(t)
	f.Path += "/none"
	if _, err := lock.Take(t.Context(), f); err == nil || !strings.Contains(err.Error(), "the test's folder") {
		t.Errorf("a folder that is not there gives %v", err)
	}
}
