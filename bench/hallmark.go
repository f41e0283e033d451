package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// hallmark is `hallmark run` without a launch. Its engine is started and ended within each run, and counts.
type hallmark struct {
	settings settings
	given    *given
	launches bool // whether hallmark.yaml's launches are made
	registry *daemon
	address  string
}

func (h *hallmark) name() string { return "hallmark" }

func (h *hallmark) home() string { return filepath.Join(h.settings.work, "hallmark-home") }

func (h *hallmark) forget(ctx context.Context) error {
	h.close()
	// The vulnerability database is no cache of a run: both sides have it at hand.
	entries, err := os.ReadDir(h.home())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != "databases" {
			if err := discard(h.settings, filepath.Join(h.home(), entry.Name())); err != nil {
				return err
			}
		}
	}
	h.registry, h.address, err = serveRegistry(ctx, h.settings, filepath.Join(h.settings.work, "hallmark-registry"))
	return err
}

func (h *hallmark) close() { h.registry.stop() }

func (h *hallmark) run(ctx context.Context) (measured, error) {
	cmd := h.command(ctx, "--set", "image="+h.address+"/bench/image")
	cmd.Args = append(cmd.Args, "--progress", "json", "--output", "json")
	said, err := os.Create(filepath.Join(h.settings.work, "hallmark.jsonl"))
	if err != nil {
		return measured{}, err
	}
	defer said.Close()
	cmd.Stderr = said
	started := time.Now()
	out, err := cmd.Output()
	m := measured{whole: time.Since(started)}
	var r report.Report
	if broken := json.Unmarshal(out, &r); broken != nil || err != nil {
		return m, fmt.Errorf("hallmark run: %s: %w (what it said is in %s)", r.Headline, errors.Join(err, broken), said.Name())
	}
	begun := r.Elapsed
	for _, s := range r.Steps {
		m.steps = append(m.steps, step{s.Name, s.Elapsed})
		if s.Name == "build" {
			begun = s.Started.Sub(r.Started)
		}
	}
	m.steps = append([]step{{"begin", begun}}, m.steps...)
	m.dockerfile, err = hallmarkRuns(said.Name())
	return m, err
}

// command is the run that is measured, in every scenario the same.
func (h *hallmark) command(ctx context.Context, more ...string) *exec.Cmd {
	g := h.given
	args := []string{
		"run", g.context, "--home", h.home(), "--set", "scan.database.from=demo",
		"--set", "sign.key=file:" + g.key, "--set", "sign.password=file:" + g.password,
	}
	if !h.launches {
		args = append(args, "--set", "launch=[]")
	}
	if g.mirror != "" {
		args = append(args, "--build-arg", "HTTP_PROXY="+g.mirror)
	}
	args = append(args, h.contexts()...)
	return exec.CommandContext(ctx, h.settings.hallmark, append(args, more...)...)
}

// contexts are the flags for the named contexts.
func (h *hallmark) contexts() (args []string) {
	g := h.given
	for _, b := range g.bases {
		args = append(args, "--build-context", b.name+"=oci-layout://"+b.layout+"@"+b.digest)
	}
	for name, folder := range g.folders {
		args = append(args, "--build-context", name+"="+folder)
	}
	return args
}

// hallmarkRuns is for how long a RUN was at work, out of the run's own events.
func hallmarkRuns(path string) (time.Duration, error) {
	var spans spans
	open := map[uint64]time.Time{}
	err := eachLine(path, func(line []byte) {
		var e progress.Event
		if json.Unmarshal(line, &e) != nil || !strings.Contains(e.Name, "] RUN ") {
			return
		}
		switch e.Kind {
		case progress.Started:
			open[e.Task] = e.Time
		case progress.Ended:
			if begun, found := open[e.Task]; found && !e.Cached {
				spans.add(begun, e.Time)
			}
		}
	})
	return spans.covered(), err
}
