package pipeline

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
)

// Acceptable refuses parameters that the configured packs cannot take, before anything is built or read. Packs that take
// whatever has the right type are left until there is an image to ask about: compiling them costs a moment.
func Acceptable(ctx context.Context, cfg *config.Config) error {
	names, err := check.Demanding(cfg.Dir, cfg.Check.Packs...)
	if err != nil || len(names) == 0 {
		return err
	}
	packs, err := check.Load(cfg.Dir, names...)
	if err != nil {
		return err
	}
	return check.Accept(ctx, packs, cfg.Check.Params)
}

// SetParams gives the configured packs the parameters that sets say, as <name>=<value> or <pack>.<name>=<value>. Where the
// packs were chosen on the command line, what the file says about others is left out instead of refused.
func SetParams(cfg *config.Config, sets []string, chosen bool) error {
	if len(sets) == 0 && (!chosen || len(cfg.Check.Params) == 0) {
		return nil
	}
	packs, err := check.Load(cfg.Dir, cfg.Check.Packs...)
	if err != nil {
		return err
	}
	params := map[string]map[string]any{}
	for name, given := range cfg.Check.Params {
		asked := slices.ContainsFunc(packs, func(p *check.Pack) bool { return p.Name == name })
		if asked || !chosen || strings.HasPrefix(cfg.Origin("check.params."+name), "--set ") {
			params[name] = maps.Clone(given)
		}
	}
	for _, set := range sets {
		path, value, _ := strings.Cut(set, "=")
		if err := check.Assign(params, packs, path, value); err != nil {
			return err
		}
	}
	cfg.Check.Params = params
	return nil
}
