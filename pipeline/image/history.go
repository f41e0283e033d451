package image

import v1 "github.com/google/go-containerregistry/pkg/v1"

// historyOf maps history to layers: by history entry the index of the layer it made (-1: none), and by layer what
// created it. An image whose history does not fit its layers has none: blaming the wrong step is worse than none.
func historyOf(config *v1.ConfigFile) (layers []int, makers []string) {
	layers, makers = make([]int, len(config.History)), make([]string, len(config.RootFS.DiffIDs))
	next := 0
	for i, step := range config.History {
		layers[i] = -1
		if step.EmptyLayer {
			continue
		}
		if next < len(makers) {
			layers[i], makers[next] = next, step.CreatedBy
		}
		next++
	}
	if next != len(makers) {
		for i := range layers {
			layers[i] = -1
		}
		clear(makers)
	}
	return layers, makers
}
