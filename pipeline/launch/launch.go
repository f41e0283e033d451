// Package launch starts one single-node cluster from a candidate, asks it what the profile and the probes say, and
// always takes it down.
//
// Targets (where a launch runs) stand in subpackages and implement Target and Cluster; what is the same for all of
// them stands here: what a profile starts, what a probe runs, how an answer is judged, how a log becomes one sentence,
// and Run, which keeps the deadlines. It must not know how the image was built or checked, nor what is done with the
// verdict; it takes a subject and returns a result.
package launch

import (
	"context"
	"io"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Target is a place where a cluster can be launched.
type Target interface {
	// Name is the target's word: "sandbox".
	Name() string
	// Launch starts a cluster from spec.Subject and returns when it is ready for probes. It keeps ctx's deadline.
	// The error is an *Error when the cluster itself failed or could not be had. A cluster that was begun is returned
	// beside the error, so that its logs can be read; whoever gets one must call its Terminate.
	Launch(ctx context.Context, spec Spec) (Cluster, error)
}

// Cluster is what was launched.
type Cluster interface {
	// ID finds the cluster again on its target.
	ID() string
	// Probe asks one thing and returns the answer, whatever it is; the error is for a question that could not be put:
	// the cluster is gone, the deadline is over, the surroundings failed.
	Probe(ctx context.Context, probe Probe) (Output, error)
	// Logs is what the cluster has written so far, bounded by the target.
	Logs(ctx context.Context) (io.ReadCloser, error)
	// State is what the target knows of the cluster; it is complete after Terminate.
	State() State
	// Terminate ends everything that the launch made. It may be called again, and after a failure.
	Terminate(ctx context.Context) error
}

// Deliverer is a cluster whose processes write where nobody looks on: what they wrote is delivered to a storage, and all of
// it only after the end.
type Deliverer interface {
	Cluster
	// Delivered is what was delivered, bounded by the target, with a line that says what cannot be read; nil: nothing is to
	// be delivered. It is asked for after Terminate. Where the launch did not pass, it waits a little for what is on its way.
	Delivered(ctx context.Context, ended verdict.Verdict) io.ReadCloser
}

// State is what a target knows of its cluster.
type State struct {
	Runtime string // what runs it: "hallmark's own engine, runc 1.5.2"
	Scripts []ScriptResult
	Limits  []Limit // one for each limit that was asked for
	Events  []Event
	Facts   []Fact // what else is worth testifying, in the order in which people should read it
	// OOMKilled says that the memory limit killed a process of the cluster, PIDsExhausted that a process could not be
	// started for want of one.
	OOMKilled     bool
	PIDsExhausted bool
	MemoryPeak    int64 // bytes; 0: unknown
}

// Fact is one thing that a target knows of its cluster: {"node type", "m5d.large"}.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Limit is one limit of a launch, and whether it really held.
type Limit struct {
	Name     string `json:"name"`  // memory, cpus, pids
	Asked    string `json:"asked"` // "3Gi", "2", "1024"
	Enforced bool   `json:"enforced"`
	Note     string `json:"note,omitempty"` // why it was not enforced
}

// Event is one thing that happened during a launch.
type Event struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}
