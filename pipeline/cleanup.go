package pipeline

import (
	"context"
	"errors"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
)

// CleanUp takes down what runs on a home left behind that were killed before they could do so: what their engines left
// on this machine. It says what there was, and may be called at any time and again: what still runs is left alone.
func CleanUp(ctx context.Context, options Options, engineRoots ...string) (found []string, err error) {
	roots := append([]string{options.Home.buildEngine(), options.Home.launchEngine()}, engineRoots...)
	for _, root := range roots {
		if root == "" {
			continue
		}
		what, failed := engine.Sweep(ctx, root)
		found, err = append(found, what...), errors.Join(err, failed)
	}
	return found, err
}
