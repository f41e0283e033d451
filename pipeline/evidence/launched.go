package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Launch is how one launch on one target ended.
type Launch struct {
	Target  string // sandbox, docker, kubernetes, …
	Profile string // databricks, spark, service
	Runtime string // what it ran on: "runc 1.5.2, Linux 6.1", "Databricks Runtime 15.4"
	Probes  []Probe
	Scripts []Script // init scripts, in the order in which they ran
	// Limits tell what the cluster was allowed: "memory": "3Gi enforced", "pids": "1024 not enforced: …".
	Limits   map[string]string
	Facts    []Fact // what else the target knows of its cluster
	Started  time.Time
	Finished time.Time
	URL      string // of the launch's log or page; empty: none
}

// Probe is one question and how it was answered. Its output is not evidence.
type Probe struct {
	Name    string          `json:"name"`
	Verdict verdict.Verdict `json:"verdict"`
	Reason  string          `json:"reason,omitzero"` // why it failed
	// Elapsed is in milliseconds.
	Elapsed int64 `json:"elapsed_ms"`
}

// Script is an init script that was run before the probes.
type Script struct {
	Name     string `json:"name"`            // "file:/opt/init.sh" inside the image, else the name of a file
	Digest   string `json:"digest,omitzero"` // of what was run
	Note     string `json:"note,omitzero"`   // why there is no digest
	ExitCode int    `json:"exit_code"`
	// Elapsed is in milliseconds.
	Elapsed int64 `json:"elapsed_ms"`
}

// Fact is one thing that a target knows of its cluster: the workspace, the node type, the digest that was pulled.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type testResult struct {
	Result        string       `json:"result"`
	Configuration []descriptor `json:"configuration"`
	URL           string       `json:"url,omitzero"`
	Passed        []string     `json:"passedTests"`
	Warned        []string     `json:"warnedTests"`
	Failed        []string     `json:"failedTests"`
	Hallmark      launchMark   `json:"hallmark"`
}

type launchMark struct {
	Mark
	Target   string            `json:"target"`
	Profile  string            `json:"profile"`
	Runtime  string            `json:"runtime,omitzero"`
	Probes   []Probe           `json:"probes"`
	Scripts  []Script          `json:"init_scripts,omitempty"`
	Limits   map[string]string `json:"limits,omitempty"`
	Facts    []Fact            `json:"facts,omitempty"`
	Started  time.Time         `json:"started,omitzero"`
	Finished time.Time         `json:"finished,omitzero"`
}

// Launched states how a launch of s ended, as in-toto's test-result v0.1. There is one for each target and profile.
func Launched(s subject.Subject, l Launch, m Mark) (Statement, error) {
	if err := m.check(true); err != nil {
		return Statement{}, invalid(TypeLaunched, err)
	}
	if l.Target == "" || l.Profile == "" {
		return Statement{}, invalid(TypeLaunched, fmt.Errorf("it names no target or no profile"))
	}
	p := testResult{
		Result: passed(m.Verdict),
		URL:    withoutUser(l.URL),
		Passed: []string{}, Warned: []string{}, Failed: []string{},
		Configuration: []descriptor{{
			Name: "launch", Digest: map[string]string{"sha256": strings.TrimPrefix(m.Inputs, "sha256:")},
			Annotations: map[string]string{"target": l.Target, "profile": l.Profile, "runtime": l.Runtime},
		}},
		Hallmark: launchMark{
			Mark: m.normal(), Target: l.Target, Profile: l.Profile, Runtime: l.Runtime, Limits: l.Limits,
			Started: utc(l.Started), Finished: utc(l.Finished),
		},
	}
	for _, fact := range l.Facts {
		p.Hallmark.Facts = append(p.Hallmark.Facts, Fact{Name: publicText(fact.Name), Value: publicText(fact.Value)})
	}
	for _, script := range l.Scripts {
		script.Name, script.Note = publicText(script.Name), publicText(script.Note)
		p.Hallmark.Scripts = append(p.Hallmark.Scripts, script)
	}
	for _, probe := range l.Probes {
		probe.Name, probe.Reason = publicText(probe.Name), publicText(probe.Reason)
		p.Hallmark.Probes = append(p.Hallmark.Probes, probe)
		if probe.Verdict == verdict.Pass {
			p.Passed = append(p.Passed, probe.Name)
		} else {
			p.Failed = append(p.Failed, probe.Name)
		}
	}
	if err := probesAgree(l.Probes, m.Verdict); err != nil {
		return Statement{}, invalid(TypeLaunched, err)
	}
	return build(s, TypeLaunched, p)
}

// ParseLaunched reads what Launched stated.
func ParseLaunched(s Statement) (Launch, Mark, error) {
	var p testResult
	if err := read(s, TypeLaunched, &p); err != nil {
		return Launch{}, Mark{}, err
	}
	h := p.Hallmark
	if err := h.check(true); err != nil {
		return Launch{}, Mark{}, invalid(TypeLaunched, err)
	}
	if err := agree(p.Result, h.Verdict); err != nil {
		return Launch{}, Mark{}, invalid(TypeLaunched, err)
	}
	if err := probesAgree(h.Probes, h.Verdict); err != nil {
		return Launch{}, Mark{}, invalid(TypeLaunched, err)
	}
	if h.Target == "" || h.Profile == "" {
		return Launch{}, Mark{}, invalid(TypeLaunched, fmt.Errorf("it names no target or no profile"))
	}
	return Launch{
		Target: h.Target, Profile: h.Profile, Runtime: h.Runtime, Probes: h.Probes, Scripts: h.Scripts, Limits: h.Limits, Facts: h.Facts,
		Started: h.Started, Finished: h.Finished, URL: p.URL,
	}, h.Mark, nil
}

// probesAgree refuses a pass with a probe that did not pass. A launch may fail with all its probes passed: the
// cluster died, or never came up and no probe was asked.
func probesAgree(probes []Probe, v verdict.Verdict) error {
	bad := slices.IndexFunc(probes, func(p Probe) bool { return p.Verdict != verdict.Pass })
	if v == verdict.Pass && bad >= 0 {
		return fmt.Errorf("it says pass, but the probe %s says %q", clip(probes[bad].Name), probes[bad].Verdict)
	}
	return nil
}
