package engine

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Limits bounds one container. A zero field is no limit.
type Limits struct {
	Memory int64   `json:"memory,omitempty"` // bytes, swap included
	CPUs   float64 `json:"cpus,omitempty"`   // processors' worth of time: 1.5 is one and a half
	PIDs   int64   `json:"pids,omitempty"`   // processes and threads at once
}

// Bind shows one file of the host in a container, read-only. Target lies below /dev, which is never part of a layer.
type Bind struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

// Held says of one limit whether it really holds: what was read back from the kernel after it was set.
type Held struct {
	Asked    string `json:"asked"`
	Enforced bool   `json:"enforced"`
	Reason   string `json:"reason,omitempty"` // why not
}

// SandboxReport is what the engine saw of one container.
type SandboxReport struct {
	Memory Held `json:"memory,omitzero"` // zero: not asked for
	CPUs   Held `json:"cpus,omitzero"`
	PIDs   Held `json:"pids,omitzero"`
	// Ended is set once the container's first process has ended; what follows is complete only then.
	Ended      bool  `json:"ended"`
	OOMKilled  bool  `json:"oom_killed,omitempty"`  // the memory limit killed a process in it
	MemoryPeak int64 `json:"memory_peak,omitempty"` // bytes; 0: the kernel does not say
	PIDsPeak   int64 `json:"pids_peak,omitempty"`   // 0: the kernel does not say
}

// PIDsExhausted says that the container once had as many processes as it may: a fork after that failed.
func (r SandboxReport) PIDsExhausted(limits Limits) bool {
	return limits.PIDs > 0 && r.PIDs.Enforced && r.PIDsPeak >= limits.PIDs
}

// Sandbox is what one container asks of the embedded engine beyond what BuildKit's gateway can express.
// Start the container's first process with Env among its environment; the variable never reaches the process.
type Sandbox struct {
	env    string
	report string // path
}

// order is what Env carries to the engine, sealed.
type order struct {
	Token  string `json:"token"`
	Limits Limits `json:"limits"`
	Binds  []Bind `json:"binds,omitempty"`
}

// Sandbox prepares limits and binds for one container. Only the embedded engine has them.
func (e *Engine) Sandbox(limits Limits, binds []Bind) (*Sandbox, error) {
	if e.Kind() != Embedded {
		return nil, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "engine.no-sandbox", Doing: "limiting a container on", Object: e.Reason(),
			Cause:  errors.New("only the embedded engine can hold containers to limits"),
			Remedy: "Choose the embedded engine, or launch on another target",
		}
	}
	for _, bind := range binds {
		if err := bind.check(); err != nil {
			return nil, err
		}
	}
	ask := order{Token: rand.Text(), Limits: limits, Binds: binds}
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	return &Sandbox{
		env:    orderVariable + "=" + seal(e.key, body),
		report: reportPath(e.root, ask.Token),
	}, nil
}

func (b Bind) check() error {
	if !filepath.IsAbs(b.Source) {
		return fmt.Errorf("%w: binding %s into a container: the path is not absolute", verdict.ErrUsage, b.Source)
	}
	if b.Target != filepath.Clean(b.Target) || !strings.HasPrefix(b.Target, "/dev/") {
		return fmt.Errorf("%w: binding a file at %s: only places below /dev leave nothing in the image", verdict.ErrUsage, b.Target)
	}
	return nil
}

// Env is the variable, NAME=value, to be added to the environment of the container's first process.
func (s *Sandbox) Env() string { return s.env }

// Report reads what the engine has seen of the container so far. Before its start there is none: found is false.
func (s *Sandbox) Report() (report SandboxReport, found bool, err error) {
	body, err := os.ReadFile(s.report)
	if errors.Is(err, fs.ErrNotExist) {
		return SandboxReport{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(body, &report)
	}
	if err != nil {
		return SandboxReport{}, false, fmt.Errorf("reading what the engine saw of the container: %w", err)
	}
	return report, true, nil
}

// Close drops the report.
func (s *Sandbox) Close() error {
	if err := os.Remove(s.report); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dropping the container's report: %w", err)
	}
	return nil
}

func reportPath(root, token string) string { return filepath.Join(root, "sandboxes", token+".json") }
