package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// demands are what promotion asks of the evidence about s, in the words of the promotion pack. A hallmark.yaml that is
// about the same repository demands, besides kinds of evidence, that they were made with no less than it asks for.
func (w *surroundings) demands(s subject.Subject, maxAge time.Duration) (map[string]any, error) {
	params := promotionParams(w.cfg.Promote.Require, maxAge)
	if w.cfg.File == "" || w.repository != s.Repository {
		return params, nil
	}
	more, err := configured(w.cfg)
	maps.Copy(params, more)
	return params, err
}

// configured is what the configuration asks for of each kind of evidence that it requires.
func configured(cfg *config.Config) (map[string]any, error) {
	params := map[string]any{}
	if slices.Contains(cfg.Promote.Require, "check") {
		names := []any{}
		for _, name := range cfg.Check.Packs {
			if !slices.Contains(check.Names(), name) { // a folder: its pack.yaml says the name
				packs, err := check.Load(cfg.Dir, name)
				if err != nil {
					return nil, err
				}
				name = packs[0].Name
			}
			names = append(names, name)
		}
		params["packs"] = names
	}
	if slices.Contains(cfg.Promote.Require, "vulnerabilities") {
		params["scan_fail_on"] = string(cfg.Scan.FailOn)
		params["scan_unfixable"] = !cfg.Scan.FixableOnly
		params["scan_secrets"] = cfg.Scan.Secrets
	}
	if slices.Contains(cfg.Promote.Require, "launch") {
		launches, asked := []any{}, []any{}
		for i, l := range cfg.Launch {
			slot := slotOf(l)
			names, err := launch.Names(probes(l.Probes), launch.Profile(l.Profile))
			if err != nil {
				return nil, fmt.Errorf("%w: launch[%d]: %w", verdict.ErrUsage, i, err)
			}
			launches = append(launches, slot)
			for _, name := range names {
				asked = append(asked, slot+" "+name)
			}
		}
		params["launches"], params["probes"] = launches, asked
	}
	return params, nil
}
