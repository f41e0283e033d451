package launch

import (
	"errors"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Result is what came of one launch.
type Result struct {
	ID      string          `json:"id,omitempty"` // the cluster's; empty: none was begun
	RunID   string          `json:"run_id,omitempty"`
	Target  string          `json:"target"`
	Runtime string          `json:"runtime,omitempty"`
	Profile Profile         `json:"profile"`
	Subject subject.Subject `json:"subject"`
	Verdict verdict.Verdict `json:"verdict"`
	// Code, Reason and Remedy say why, where the verdict is not pass.
	Code   string        `json:"code,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Remedy string        `json:"remedy,omitempty"`
	Probes []ProbeResult `json:"probes"`
	// Scripts are the init scripts that were run, in their order.
	Scripts    []ScriptResult `json:"init_scripts,omitempty"`
	Limits     []Limit        `json:"limits,omitempty"`
	Facts      []Fact         `json:"facts,omitempty"`
	Events     []Event        `json:"events,omitempty"`
	MemoryPeak int64          `json:"memory_peak,omitempty"` // bytes; 0: unknown
	LogPath    string         `json:"log_path,omitempty"`
	LogTail    string         `json:"log_tail,omitempty"`
	// Notes are sentences that people should not miss, whatever the verdict: something that was launched is left behind.
	Notes    []string  `json:"notes,omitempty"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`

	usage bool // whoever wrote the settings must change them first
}

// ProbeResult is the answer to one probe and what it amounts to.
type ProbeResult struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Verdict is empty for a probe that was not put, or does not apply; Skipped then says why.
	Verdict verdict.Verdict `json:"verdict,omitempty"`
	Skipped string          `json:"skipped,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Remedy  string          `json:"remedy,omitempty"`
	Output  string          `json:"output,omitempty"` // bounded tail
	Elapsed time.Duration   `json:"elapsed_ns,omitempty"`
}

// Elapsed is how long the launch took.
func (r *Result) Elapsed() time.Duration { return r.Finished.Sub(r.Started) }

// Err is nil for a pass, else a *verdict.Error that says what the result says.
func (r *Result) Err() error {
	if r.Verdict == verdict.Pass {
		return nil
	}
	cause := errors.New(r.Reason)
	if r.usage {
		cause = misconfigured(r.Reason)
	}
	return &verdict.Error{
		Verdict: r.Verdict, Code: r.Code, Doing: "launching", Object: r.Subject.String() + " on " + r.Target,
		Cause: cause, Remedy: r.Remedy,
	}
}

// misconfigured is a reason that nobody but whoever wrote the settings can do something about.
type misconfigured string

func (m misconfigured) Error() string { return string(m) }

// Is makes it an error of usage.
func (m misconfigured) Is(target error) bool { return target == verdict.ErrUsage }

// Findings are the reasons as findings of the gate "launch": one for the launch itself, or one for each failed probe.
func (r *Result) Findings() []verdict.Finding {
	if r.Verdict != verdict.Fail {
		return nil
	}
	var findings []verdict.Finding
	for _, probe := range r.Probes {
		if probe.Verdict == verdict.Fail && r.Code == CodeProbe {
			findings = append(findings, verdict.Finding{
				ID: CodeProbe + "." + string(probe.Kind), Gate: "launch", Kind: "probe", Severity: verdict.High,
				Title: "The probe " + probe.Name + " fails", Message: probe.Reason, Remedy: probe.Remedy, Blocking: true,
			})
		}
	}
	if len(findings) == 0 {
		findings = append(findings, verdict.Finding{
			ID: r.Code, Gate: "launch", Kind: "probe", Severity: verdict.High,
			Title: "The image does not launch", Message: r.Reason, Remedy: r.Remedy, Blocking: true,
		})
	}
	return findings
}

func (r *Result) fail(e *Error) {
	r.Verdict, r.Code, r.Reason, r.Remedy = e.Verdict, e.Code, e.Reason, e.Remedy
	r.usage = e.Verdict == verdict.Inconclusive && (e.Code == CodeConfiguration || errors.Is(e, verdict.ErrUsage))
}
