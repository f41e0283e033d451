package launch

import (
	"errors"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Codes of launch errors, for machines. Those of the image come first, those of its surroundings after.
const (
	CodePlatform = "launch.platform"  // the image is not for the target's platform
	CodeUnpack   = "launch.unpack"    // a layer cannot be unpacked
	CodeStart    = "launch.start"     // the entry point cannot be executed
	CodeExited   = "launch.exited"    // a process ended before it was ready, or while it was probed
	CodeNotReady = "launch.not-ready" // a page did not answer as it should before the deadline
	CodeMemory   = "launch.memory"    // the memory limit killed a process
	CodePIDs     = "launch.pids"      // the process limit was reached
	CodeProbe    = "launch.probe"     // a probe failed
	// Of the profile databricks.
	CodeRequirement = "launch.requirement" // something that the platform requires is not in the image
	CodeInitScript  = "launch.init-script" // an init script ended badly
	CodeDriver      = "launch.driver"      // the driver does not come up

	CodePull        = "launch.pull"        // the registry did not deliver the image
	CodeDenied      = "launch.denied"      // the registry refused to
	CodeEngine      = "launch.engine"      // what runs the cluster failed
	CodeDisk        = "launch.disk"        // the target's disk is full
	CodeMissing     = "launch.missing"     // something that the configuration names is not on this machine
	CodeTimeout     = "launch.timeout"     // the deadline was over before anything could be said of the image
	CodeInterrupted = "launch.interrupted" // the caller gave up
	// Of the target databricks.
	CodeWorkspace     = "launch.workspace"     // the workspace, or the cloud under it, could not launch the cluster or does not answer
	CodeConfiguration = "launch.configuration" // somebody must change a setting first; the exit code is that of usage
)

// Error is a launch that failed, with whom to blame.
type Error struct {
	Verdict verdict.Verdict
	Code    string
	Reason  string // one sentence, without a full stop
	Remedy  string // one sentence that starts with a verb
	Events  []Event
	Cause   error // what the target's own tools said; may be nil
}

// Error is the reason and the remedy.
func (e *Error) Error() string {
	text := "launching the image: " + strings.TrimRight(e.Reason, ". ")
	if e.Remedy != "" {
		text += ". " + e.Remedy
	}
	return text
}

// Unwrap makes the error known to verdict.OfError.
func (e *Error) Unwrap() error {
	return &verdict.Error{Verdict: e.Verdict, Code: e.Code, Doing: e.Reason, Cause: e.Cause, Remedy: e.Remedy}
}

// asError makes an *Error of whatever a target returned: what it does not explain is the surroundings' fault.
func asError(err error) *Error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	known := &Error{Verdict: verdict.Inconclusive, Code: CodeEngine, Reason: err.Error(), Cause: err, Remedy: "Run the same command again; the image is not at fault"}
	if e := (*verdict.Error)(nil); errors.As(err, &e) {
		known.Verdict, known.Code, known.Remedy = verdict.OfError(e), e.Code, e.Remedy
		known.Reason = strings.TrimSuffix(strings.TrimSuffix(known.Reason, e.Remedy), ". ")
	}
	return known
}
