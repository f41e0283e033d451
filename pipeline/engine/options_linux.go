package engine

import (
	"fmt"
	"path/filepath"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func (o Options) withDefaults() (Options, error) {
	if o.Root == "" {
		root, err := DefaultRoot()
		if err != nil {
			return o, err
		}
		o.Root = root
	}
	root, err := filepath.Abs(o.Root)
	if err != nil {
		return o, fmt.Errorf("the engine's state folder %s: %w", o.Root, err)
	}
	o.Root = root
	switch o.Snapshotter {
	case "", "overlayfs", "native":
	default:
		return o, fmt.Errorf("%w: snapshotter %q is neither overlayfs nor native", verdict.ErrUsage, o.Snapshotter)
	}
	if o.KeepBytes == 0 {
		o.KeepBytes = DefaultKeepBytes
	}
	if o.StartWait == 0 {
		o.StartWait = DefaultStartWait
	}
	return o, nil
}
