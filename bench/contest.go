package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// contestant is one way from a Dockerfile to a golden tag.
type contestant interface {
	name() string
	// forget drops every cache of build, scan and registry, and starts what must be running before a run.
	forget(ctx context.Context) error
	// run goes the whole way once, without a launch.
	run(ctx context.Context) (measured, error)
	// close ends what forget started.
	close()
}

// measured is one run.
type measured struct {
	whole time.Duration
	// dockerfile is the time during which a RUN of the Dockerfile was at work: the same commands, whoever runs them.
	dockerfile time.Duration
	steps      []step
}

func (m measured) own() time.Duration { return m.whole - m.dockerfile }

type step struct {
	name string
	took time.Duration
}

// result is what one contestant did in one scenario.
type result struct {
	scenario, contestant string
	rounds               []measured
}

// compete measures the scenarios. Contestants take turns in every round, and who begins changes from round to round, so
// that what else the machine does meets all alike.
func compete(ctx context.Context, s settings, scenarios []string) ([]result, error) {
	given, err := prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	all := []contestant{&hallmark{settings: s, given: given}}
	for _, kind := range s.chains {
		all = append(all, &chain{settings: s, given: given, kind: kind})
	}
	defer func() {
		for _, c := range all {
			c.close()
		}
		_ = os.RemoveAll(filepath.Join(s.work, "trash"))
	}()
	// A round that does not count: it fetches what the Dockerfile's commands need, and warms the page cache for all.
	fmt.Fprintln(os.Stderr, "bench: one round of", all[0].name(), "that does not count")
	if err := first(ctx, all[0]); err != nil {
		return nil, err
	}
	var results []result
	for i, scenario := range scenarios {
		rounds := s.warm
		if scenario == "cold" {
			rounds = s.cold
		}
		found := make([]result, len(all))
		for j, c := range all {
			found[j] = result{scenario: scenario, contestant: c.name()}
			if i == 0 && scenario != "cold" { // somebody left cold out: all the same, something must be there to stand on
				if err := first(ctx, c); err != nil {
					return nil, err
				}
			}
		}
		for round := range rounds {
			if scenario == "layer" {
				if err := given.change(round); err != nil {
					return nil, err
				}
			}
			for turn := range all {
				j := (turn + round) % len(all)
				m, err := once(ctx, all[j], scenario)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", scenario, all[j].name(), err)
				}
				found[j].rounds = append(found[j].rounds, m)
				fmt.Fprintf(os.Stderr, "bench: %-5s round %d of %d: %-14s %7.2f s, %.2f of them in RUN %s\n",
					scenario, round+1, rounds, all[j].name(), m.whole.Seconds(), m.dockerfile.Seconds(), stepsText(m.steps))
			}
		}
		results = append(results, found...)
	}
	return results, nil
}

func first(ctx context.Context, c contestant) error {
	if err := c.forget(ctx); err != nil {
		return err
	}
	_, err := c.run(ctx)
	return err
}

func once(ctx context.Context, c contestant, scenario string) (measured, error) {
	if scenario == "cold" {
		if err := c.forget(ctx); err != nil { // with the outer context: what it starts outlives the run
			return measured{}, fmt.Errorf("dropping its caches: %w", err)
		}
		unix.Sync() // what the one before has written is not to be waited for by this one
	}
	limited, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	return c.run(limited)
}

// given is what every contestant starts from.
type given struct {
	context  string            // folder with Dockerfile and hallmark.yaml
	top      string            // the file that the last COPY copies
	original []byte            // its content
	bases    []base            // images that the Dockerfile starts from; none: FROM scratch
	folders  map[string]string // named contexts
	epoch    string            // SOURCE_DATE_EPOCH
	mirror   string            // proxy for build steps; empty: none
	key      string            // private key in cosign's format
	password string            // file with its password
	database string            // folder with trivy.db
}

// base is an image in an OCI layout, and what the Dockerfile calls it.
type base struct{ name, layout, digest string }

// change makes the top layer a new one.
func (g *given) change(round int) error {
	line := fmt.Sprintf("\n# changed for round %d at %s\n", round, time.Now().Format(time.RFC3339Nano))
	return os.WriteFile(g.top, append(g.original[:len(g.original):len(g.original)], line...), 0o755)
}

// discard takes a folder away without deleting it: for minutes after many files went, ext4 is slow to make new ones, and
// whoever comes next would pay. The trash goes at the end, or before it when the disk runs short.
func discard(s settings, path string) error {
	trash, err := inFolder(s.work, "trash")
	if err != nil {
		return err
	}
	var room unix.Statfs_t
	if err := unix.Statfs(trash, &room); err == nil && int64(room.Bavail)*room.Bsize < roomWanted {
		fmt.Fprintln(os.Stderr, "bench: the disk runs short: emptying the trash, which slows the next round down")
		if err := os.RemoveAll(trash); err != nil {
			return err
		}
		if err := os.MkdirAll(trash, 0o755); err != nil {
			return err
		}
	}
	err = os.Rename(path, filepath.Join(trash, rand.Text()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// roomWanted is what a cold round of the largest contestant writes, and more.
const roomWanted = 12 << 30

func inFolder(parts ...string) (string, error) {
	dir := filepath.Join(parts...)
	return dir, os.MkdirAll(dir, 0o755)
}
