package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/foreign"
	"github.com/hallmark-ci/hallmark/pipeline/secret"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// maxPerRule bounds how often one rule may speak: past it, more of the same helps nobody.
const maxPerRule = 50

// maxMessage bounds a finding's text: rules quote file names, which an image may make as long as it likes.
const maxMessage = 1000

// places is what is needed of the facts to say which layer brought a file.
type places struct {
	Files  map[string]struct{ Layer int } `json:"files"`
	Layers []struct {
		DiffID    string `json:"diff_id"`
		CreatedBy string `json:"created_by"`
	} `json:"layers"`

	dockerfile string
	lines      map[string]int // by layer's diff id: the Dockerfile's line that made it
}

func readPlaces(facts []byte, build *BuildFacts) (places, error) {
	var where places
	if err := json.Unmarshal(facts, &where); err != nil {
		return where, fmt.Errorf("reading the image's facts: %w", err)
	}
	if build != nil && build.Dockerfile != "" {
		where.dockerfile, where.lines = build.Dockerfile, map[string]int{}
		for _, step := range build.Steps {
			if step.Layer != "" {
				where.lines[step.Layer] = step.Line
			}
		}
	}
	return where, nil
}

// findings turns what rules said into findings.
func (p *Pack) findings(answer any, req request) ([]verdict.Finding, error) {
	byRule, ok := answer.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: the rules of the pack %s gave %T in place of findings", verdict.ErrUsage, p.Name, answer)
	}
	var out []verdict.Finding
	for _, name := range slices.Sorted(maps.Keys(byRule)) {
		i := slices.IndexFunc(p.Rules, func(r RuleMeta) bool { return r.Name() == name })
		said, isSet := byRule[name].([]any)
		if i < 0 || !isSet {
			return nil, fmt.Errorf("%w: the pack %s speaks for a rule %q that it does not describe", verdict.ErrUsage, p.Name, foreign.Spelled(name))
		}
		for n, item := range said {
			if n == maxPerRule {
				rest := p.Rules[i].finding(req)
				rest.Message = fmt.Sprintf("and %d more like these", len(said)-n)
				out = append(out, rest)
				break
			}
			f, err := p.finding(p.Rules[i], item, req)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
	}
	return out, nil
}

func (r RuleMeta) finding(req request) verdict.Finding {
	return verdict.Finding{
		ID: r.ID, Gate: req.gate, Kind: req.kind, Severity: r.Severity, Title: r.Title, Remedy: r.Remedy, Source: r.Source,
	}
}

// finding reads one member of a rule's set: a text, or an object with message and, as far as known, file (in the image),
// layer (its index), line (of the Dockerfile) and remedy (in place of the rule's own).
func (p *Pack) finding(rule RuleMeta, item any, req request) (verdict.Finding, error) {
	f := rule.finding(req)
	bad := func(format string, args ...any) error {
		problem := p.source.at(rule.File, rule.Line, 0, "the rule %s gave a finding %s", rule.ID, fmt.Sprintf(format, args...))
		problem.Suggestion = `A finding is a text, or {"message": …, "file": …, "layer": …, "line": …, "remedy": …}.`
		return problem
	}
	layer := -1
	switch said := item.(type) {
	case string:
		f.Message = said
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(said)) {
			text, isText := said[key].(string)
			switch {
			case key == "layer" || key == "line":
				number, _ := said[key].(json.Number)
				n, err := number.Int64()
				if err != nil {
					return f, bad("whose %s is not a whole number", key)
				}
				if key == "layer" {
					layer = int(n)
				} else {
					f.Place.Dockerfile = req.places.line(int(n))
				}
			case !isText:
				return f, bad("whose %s is not a text", foreign.Spelled(key))
			case key == "message":
				f.Message = text
			case key == "file":
				f.Place.File = text
			case key == "remedy":
				f.Remedy = clean(text)
			default:
				return f, bad("with the unknown key %q", foreign.Spelled(key))
			}
		}
	default:
		return f, bad("that is neither a text nor an object")
	}
	if strings.TrimSpace(f.Message) == "" {
		return f, bad("without a message")
	}
	f.Message = clean(f.Message)
	req.places.fill(&f.Place, layer)
	return f, nil
}

// fill says which layer brought the place's file, unless the rule named the layer itself.
func (w places) fill(place *verdict.Place, layer int) {
	if known, ok := w.Files[place.File]; ok && layer < 0 {
		layer = known.Layer
	}
	place.File = clean(place.File)
	if layer >= 0 && layer < len(w.Layers) {
		place.Layer = w.Layers[layer].DiffID
		place.CreatedBy = clean(w.Layers[layer].CreatedBy)
		if line, ok := w.lines[place.Layer]; ok && place.Dockerfile == "" {
			place.Dockerfile = w.line(line)
		}
	}
}

// line is a place in the Dockerfile; empty where the build did not say which file that is.
func (w places) line(n int) string {
	if w.dockerfile == "" || n < 1 {
		return ""
	}
	return fmt.Sprintf("%s:%d", w.dockerfile, n)
}

// clean makes text from an image fit for people: nothing that a terminal obeys, no secrets, bounded.
func clean(text string) string {
	return foreign.Bound(secret.Redact(foreign.Spelled(text)), maxMessage)
}

// soften keeps a finding of a rule that is not in effect yet from blocking, and says from when it will.
func (p *Pack) soften(f *verdict.Finding, now time.Time) {
	i := slices.IndexFunc(p.Rules, func(r RuleMeta) bool { return r.ID == f.ID })
	if effective := p.Rules[i].Effective; now.Before(effective) && f.Blocking {
		f.Blocking = false
		f.Message += fmt.Sprintf(" (a warning until %s, when this rule takes effect)", effective.Format(time.DateOnly))
	}
}
