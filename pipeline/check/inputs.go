package check

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Inputs returns the digest that a Result of the same packs, settings, build and waivers would carry at in.Now, without
// asking any rule. Signed evidence with this digest about the same image says what a new run would say. It changes on the
// day on which a rule takes effect or a waiver ends, and with the code that finds facts and judges them. The image itself is
// not part of it.
func Inputs(in Input, packs []*Pack, waivers []verdict.Waiver) (string, error) {
	return inputs(request{input: object{"build": in.build()}, params: in.Params, failOn: in.FailOn, now: in.Now}, packs, waivers, method())
}

// inputs is the digest for verdicts that are reached by the given method.
func inputs(req request, packs []*Pack, waivers []verdict.Waiver, method string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "method %s\n", method)
	req.params = inherited(req.params, packs)
	for _, p := range packs {
		settings, _, err := p.settings(req.params[p.Name], req.failOn)
		if err != nil {
			return "", err
		}
		p.addInputs(sum, settings, req.now)
	}
	for _, w := range waivers {
		fmt.Fprintf(sum, "waiver %q %q %q %s %t\n", w.Rule, w.Reason, w.Owner, w.Until, w.ExpiredAt(req.now))
	}
	if build, ok := req.input["build"]; ok {
		encoded, err := json.Marshal(build)
		if err != nil {
			return "", fmt.Errorf("encoding what the build knew: %w", err)
		}
		fmt.Fprintf(sum, "build %s\n", encoded)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// addInputs writes what the verdict of one pack depends on.
func (p *Pack) addInputs(h hash.Hash, settings map[string]any, now time.Time) {
	fmt.Fprintf(h, "pack %s %s %s\n", p.Name, p.Version, p.Digest)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		v, err := json.Marshal(settings[name])
		if err != nil {
			panic("a fitted parameter is always JSON: " + err.Error())
		}
		fmt.Fprintf(h, "param %s %s\n", name, v)
	}
	for _, r := range p.Rules {
		if now.Before(r.Effective) {
			fmt.Fprintf(h, "not yet %s\n", r.ID)
		}
	}
}

// knownParams refuses values for packs that are not asked: they would be without effect.
func knownParams(params map[string]map[string]any, packs []*Pack) error {
	names := make([]string, 0, len(packs))
	for _, p := range packs {
		names = append(names, p.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%w: there are parameters for the pack %q, which is not asked. %s", verdict.ErrUsage, name, didYouMean(name, slices.Clone(names)))
		}
	}
	return nil
}
