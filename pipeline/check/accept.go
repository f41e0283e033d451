package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// refuseName is the set in which a pack says what it cannot take of its parameters. Unlike a finding, such a text is not
// about an image: it is a usage error, told before anything is built or read.
const refuseName = "refuse"

// Demanding returns those of the named packs that refuse some parameters, or must be given some. Finding out costs a look
// at their text; the others need not be compiled before there is an image to ask about.
func Demanding(base string, names ...string) ([]string, error) {
	var demanding []string
	for _, name := range names {
		src, err := sourceOf(base, name)
		if err != nil {
			return nil, err
		}
		m, err := src.readManifest()
		if err != nil {
			return nil, err
		}
		refuses := slices.ContainsFunc(src.names(isRule), func(file string) bool { return bytes.Contains(src.files[file], []byte("\n"+refuseName+" ")) })
		if refuses || slices.ContainsFunc(m.params, func(p Param) bool { return p.Required }) {
			demanding = append(demanding, name)
		}
	}
	return demanding, nil
}

// Accept says whether the packs can take the parameters, without an image. The error is a usage error.
func Accept(ctx context.Context, packs []*Pack, params map[string]map[string]any) error {
	given := inherited(params, packs)
	for _, p := range packs {
		settings, _, err := p.settings(given[p.Name], "")
		if err != nil {
			return err
		}
		if err := p.refuse(ctx, settings); err != nil {
			return err
		}
	}
	return nil
}

// inherited adds to params what packs take over from other packs that are asked.
func inherited(params map[string]map[string]any, packs []*Pack) map[string]map[string]any {
	out := maps.Clone(params)
	for _, p := range packs {
		for _, param := range p.Params {
			value, known := params[param.From][param.Name]
			if _, own := params[p.Name][param.Name]; param.From == "" || own || !known || !asked(packs, param.From) {
				continue
			}
			settings := map[string]any{}
			maps.Copy(settings, out[p.Name])
			settings[param.Name] = value
			out[p.Name] = settings
		}
	}
	return out
}

func asked(packs []*Pack, name string) bool {
	return slices.ContainsFunc(packs, func(p *Pack) bool { return p.Name == name })
}

// refuse asks the pack what it cannot take of its settings.
func (p *Pack) refuse(ctx context.Context, settings map[string]any) error {
	if p.refusal == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	answer, err := p.refusal.Eval(limited, rego.EvalInput(object{"params": settings}))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("asking the pack %s about its parameters: %w", p.Name, ctx.Err())
	case err != nil:
		return p.ofEvaluation(err)
	case len(answer) == 0:
		return nil
	}
	said, isSet := answer[0].Bindings["refused"].([]any)
	if !isSet {
		return fmt.Errorf("%w: the pack %s has a rule %s that is no set of texts. Write: %s contains \"<what cannot be taken>\" if { … }",
			verdict.ErrUsage, p.Name, refuseName, refuseName)
	}
	var refused []error
	for _, text := range said {
		refused = append(refused, fmt.Errorf("%w: the pack %s: %s", verdict.ErrUsage, p.Name, clean(fmt.Sprint(text))))
	}
	return errors.Join(refused...)
}

func hasRule(modules map[string]*ast.Module, name string) bool {
	for _, module := range modules {
		for _, rule := range module.Rules {
			if head, ok := rule.Head.Ref()[0].Value.(ast.Var); ok && string(head) == name {
				return true
			}
		}
	}
	return false
}

// Assign puts a value that was written as text, as on a command line, under the packs that have the parameter: under all of
// them where path is the parameter's name, under one where it is "<pack>.<name>".
func Assign(params map[string]map[string]any, packs []*Pack, path, text string) error {
	names, taken := []string{}, false
	for _, p := range packs {
		for _, param := range append(slices.Clone(p.Params), failOnParam) {
			names = append(names, param.Name)
			if path != param.Name && path != p.Name+"."+param.Name {
				continue
			}
			v, err := param.written(text)
			if err != nil {
				return fmt.Errorf("%w: the parameter %s of the pack %s: %w", verdict.ErrUsage, param.Name, p.Name, err)
			}
			if params[p.Name] == nil {
				params[p.Name] = map[string]any{}
			}
			params[p.Name][param.Name], taken = v, true
		}
	}
	if taken {
		return nil
	}
	known := make([]string, len(packs))
	for i, p := range packs {
		known[i] = p.Name
	}
	const fields = " Fields of hallmark.yaml are named from their section on, such as scan.fail_on"
	if pack, _, dotted := strings.Cut(path, "."); dotted && !asked(packs, pack) {
		return fmt.Errorf("%w: %s is neither a field of hallmark.yaml nor a parameter: no pack that is asked is called %s. %s%s",
			verdict.ErrUsage, foreign.Spelled(path), foreign.Spelled(pack), didYouMean(pack, known), fields)
	}
	name := path[strings.LastIndexByte(path, '.')+1:]
	slices.Sort(names)
	return fmt.Errorf("%w: no pack that is asked (%s) has a parameter %s. %s%s", verdict.ErrUsage, strings.Join(known, ", "),
		foreign.Spelled(path), didYouMean(name, slices.Compact(names)), fields)
}
