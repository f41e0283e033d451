package pipeline

import (
	"context"
	"maps"
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

// SetParams gives the configured packs the parameters that sets say, as <name>=<value> or <pack>.<name>=<value>.
func SetParams(cfg *config.Config, sets []string) error {
	if len(sets) == 0 {
		return nil
	}
	packs, err := check.Load(cfg.Dir, cfg.Check.Packs...)
	if err != nil {
		return err
	}
	params := map[string]map[string]any{}
	for name, given := range cfg.Check.Params {
		params[name] = maps.Clone(given)
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
