package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/display"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// project reads the configuration of a folder, or of --config, with the given overrides above all others.
func (a *app) project(folder []string, sets ...string) (*config.Config, pipeline.Options, error) {
	path := a.configPath
	if len(folder) == 1 {
		if path != "" {
			return nil, pipeline.Options{}, fmt.Errorf("%w: give a folder or --config, not both", verdict.ErrUsage)
		}
		path = folder[0]
	}
	cfg, err := config.Load(path, os.Environ(), append(sets, a.sets...))
	if err != nil {
		return nil, pipeline.Options{}, err
	}
	options, err := a.options()
	return cfg, options, err
}

// checked is project for packs: what --set names that is no field of the configuration is a parameter of theirs.
func (a *app) checked(sets []string) (*config.Config, pipeline.Options, error) {
	var fields, params []string
	for _, set := range a.sets {
		if path, _, found := strings.Cut(set, "="); found && !config.Has(path) {
			params = append(params, set)
		} else {
			fields = append(fields, set)
		}
	}
	cfg, err := config.Load(a.configPath, os.Environ(), append(sets, fields...))
	if err != nil {
		return nil, pipeline.Options{}, err
	}
	if err := pipeline.SetParams(cfg, params); err != nil {
		return nil, pipeline.Options{}, err
	}
	options, err := a.options()
	return cfg, options, err
}

// inspected opens the image that args name, or builds it, and lets look see it.
func (a *app) inspected(ctx context.Context, args, sets []string, look func(context.Context, *pipeline.Inspected, []string) error) error {
	cfg, options, err := a.project(nil, sets...)
	if err != nil {
		return err
	}
	return a.inspectedWith(ctx, cfg, options, args, look)
}

func (a *app) inspectedWith(ctx context.Context, cfg *config.Config, options pipeline.Options, args []string, look func(context.Context, *pipeline.Inspected, []string) error) error {
	return a.watched(ctx, cfg.Image, func(ctx context.Context) error {
		in, err := pipeline.Inspect(ctx, cfg, options, strings.Join(args, ""))
		if err != nil {
			return err
		}
		defer in.Close()
		return look(ctx, in, cfg.Check.Packs)
	})
}

// entry is an override of one entry of a map: build.args with NAME=VALUE. Keys may hold dots and colons.
func entry(path, pair string) string {
	key, value, _ := strings.Cut(pair, "=")
	return fmt.Sprintf("%s[%q]=%s", path, key, value)
}

// list is an override of a whole list.
func list(path string, values []string) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = fmt.Sprintf("%q", value)
	}
	return path + "=[" + strings.Join(quoted, ",") + "]"
}

// width is how many columns a table may take: the terminal's, else 100 for logs.
func width(file *stream) int {
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return laidOut(0)
	}
	return laidOut(columns)
}

// laidOut is the width for a terminal of so many columns; 0: not known. Below 40, nothing is a table any more.
func laidOut(columns int) int {
	if columns <= 0 {
		return 100
	}
	return max(columns, 40)
}

// coloured says whether a person looks: a terminal, and nobody asked for none.
func coloured(file *stream) bool {
	return display.Terminal(file.File) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
