// Package check judges an image's facts, or a subject's evidence, by packs of Rego rules.
//
// Open Policy Agent is the interpreter, as a library; what a pack is stands in docs/policies.md. This package knows facts
// and evidence only as data: it reads no image, asks no registry and has no clock of its own.
package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// DefaultTimeout bounds the evaluation of one pack. The packs that come with the program take milliseconds.
const DefaultTimeout = 10 * time.Second

// Input is what packs judge and how.
type Input struct {
	Facts *image.Facts
	// Build is what the build knew and the image does not say; nil where the image was not built here. Rules about it
	// then have nothing to say.
	Build *BuildFacts
	// Params holds, by pack and name, the values that differ from the packs' defaults.
	Params map[string]map[string]any
	// FailOn is the severity from which findings block; empty means medium. A pack's parameter fail_on goes before it.
	FailOn verdict.Severity
	// Now decides which rules are in effect and which waivers have ended. It must be set.
	Now time.Time
	// Timeout bounds each pack's evaluation; 0 means DefaultTimeout.
	Timeout time.Duration
}

// BuildFacts is what only the build knows.
type BuildFacts struct {
	Dockerfile string `json:"dockerfile"` // its path in the project, for the places of findings
	Bases      []Base `json:"bases"`
	Steps      []Step `json:"steps"`
}

// Base is one image that the build started from.
type Base struct {
	Ref    string `json:"ref"`    // as it was resolved: docker.io/library/debian:13, oci-layout://PATH
	Digest string `json:"digest"` // what it resolved to; empty where unknown
	Pinned bool   `json:"pinned"` // the reference itself names the digest
	Line   int    `json:"line"`   // of the Dockerfile; 0: unknown
}

// Step is one instruction of the Dockerfile.
type Step struct {
	Line        int    `json:"line"` // from 1
	Instruction string `json:"instruction"`
	Layer       string `json:"layer,omitempty"` // diff id of the layer that it made, where it made one and that is known
}

// Result is what the packs say.
type Result struct {
	Verdict  verdict.Verdict   `json:"verdict"`
	Findings []verdict.Finding `json:"findings"`
	Rules    int               `json:"rules"` // how many rules were asked
	Packs    []PackRef         `json:"packs"`
	// Inputs is "sha256:…" over everything that the verdict depends on besides the image; see Inputs.
	Inputs string `json:"inputs"`
}

// Run asks every rule of packs about in. The error is a usage error when packs, parameters or waivers are at fault, and
// inconclusive when the evaluation did not end in time; findings are not errors.
func Run(ctx context.Context, in Input, packs []*Pack, waivers []verdict.Waiver) (Result, error) {
	if in.Facts == nil {
		return Result{}, errors.New("checking an image: no facts were given")
	}
	facts, err := json.Marshal(in.Facts)
	if err != nil {
		return Result{}, fmt.Errorf("encoding the image's facts: %w", err)
	}
	where, err := readPlaces(facts, in.Build)
	if err != nil {
		return Result{}, err
	}
	return run(ctx, AboutImage, request{
		input: object{"facts": json.RawMessage(facts), "build": in.build()}, places: where, params: in.Params,
		failOn: in.FailOn, now: in.Now, timeout: in.Timeout, gate: "check", kind: "rule",
	}, packs, waivers)
}

// build is what rules find under input.build.
func (in Input) build() object {
	known, given := in.Build != nil, BuildFacts{}
	if known {
		given = *in.Build
	}
	return object{
		"known":      known,
		"dockerfile": given.Dockerfile,
		"bases":      append([]Base{}, given.Bases...),
		"steps":      append([]Step{}, given.Steps...),
	}
}

// request is what image and promotion checks have in common.
type request struct {
	input      object
	places     places
	params     map[string]map[string]any
	failOn     verdict.Severity
	now        time.Time
	timeout    time.Duration
	gate, kind string
}

func run(ctx context.Context, about About, req request, packs []*Pack, waivers []verdict.Waiver) (Result, error) {
	result := Result{Findings: []verdict.Finding{}, Packs: []PackRef{}}
	if req.now.IsZero() {
		return result, errors.New("checking: no time was given to check at")
	}
	if err := CheckWaivers(waivers); err != nil {
		return result, err
	}
	if err := knownParams(req.params, packs); err != nil {
		return result, err
	}
	req.params = inherited(req.params, packs)
	answers := make([]answer, len(packs))
	var asked sync.WaitGroup
	defer asked.Wait()
	for i, pack := range packs {
		if pack.About != about {
			return result, fmt.Errorf("%w: the pack %s judges a %s, not a %s", verdict.ErrUsage, pack.Name, pack.About, about)
		}
		settings, floor, err := pack.settings(req.params[pack.Name], req.failOn)
		if err == nil {
			err = pack.refuse(ctx, settings)
		}
		if err != nil {
			return result, err
		}
		asked.Go(func() { // side by side; their answers are read in their order
			answers[i].found, answers[i].err = pack.evaluate(ctx, req, settings)
			for j := range answers[i].found {
				answers[i].found[j].Blocking = answers[i].found[j].Severity.AtLeast(floor)
				pack.soften(&answers[i].found[j], req.now)
			}
		})
	}
	asked.Wait()
	for i, pack := range packs {
		if answers[i].err != nil {
			return result, answers[i].err
		}
		result.Findings = append(result.Findings, answers[i].found...)
		result.Packs = append(result.Packs, pack.Ref())
		result.Rules += len(pack.Rules)
	}
	result.Findings = append(applyWaivers(result.Findings, waivers, req.now), unusedWaivers(result.Findings, waivers, packs, req)...)
	verdict.Sort(result.Findings)
	result.Verdict = verdict.Of(result.Findings)
	var err error
	result.Inputs, err = inputs(req, packs, waivers, method())
	return result, err
}

// answer is what one pack says.
type answer struct {
	found []verdict.Finding
	err   error
}

// evaluate asks the pack's rules.
func (p *Pack) evaluate(ctx context.Context, req request, settings map[string]any) ([]verdict.Finding, error) {
	_, task := progress.Start(ctx, "%s %s: %d rules", p.Name, p.Version, len(p.Rules))
	found, err := p.ask(ctx, req, settings)
	task.End(err)
	return found, err
}

func (p *Pack) ask(ctx context.Context, req request, settings map[string]any) ([]verdict.Finding, error) {
	input := object{"params": settings}
	for key, v := range req.input {
		input[key] = v
	}
	encoded, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("encoding the input of the pack %s: %w", p.Name, err)
	}
	parsed, err := ast.ValueFromReader(bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("reading the input of the pack %s: %w", p.Name, err)
	}
	timeout := req.timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := p.query.Eval(limited, rego.EvalParsedInput(parsed), rego.EvalTime(req.now))
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("asking the rules of the pack %s: %w", p.Name, ctx.Err())
	case limited.Err() != nil:
		return nil, &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "check.deadline", Doing: "asking the rules of the pack", Object: p.Name,
			Cause:  fmt.Errorf("they did not end within %s", timeout),
			Remedy: "Look for a rule that compares every file with every other, or allow more time",
		}
	case err != nil:
		return nil, p.ofEvaluation(err)
	case len(answer) == 0:
		return nil, nil
	}
	return p.findings(answer[0].Bindings["findings"], req)
}

// ofEvaluation places an error that a rule made while it ran. It is the pack's fault: a rule that stumbles has no answer.
func (p *Pack) ofEvaluation(err error) error {
	var e *topdown.Error
	if !errors.As(err, &e) || e.Location == nil {
		return fmt.Errorf("%w: asking the rules of the pack %s: %w", verdict.ErrUsage, p.Name, err)
	}
	problem := p.source.at(e.Location.File, e.Location.Row, e.Location.Col, "%s", foreign.Spelled(e.Message))
	problem.Suggestion = "The rule stumbled over these facts: let it test what it reads before it uses it."
	return problem
}
