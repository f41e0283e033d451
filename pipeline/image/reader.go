package image

import (
	"bytes"
	"context"
	"errors"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Reader reads images. It may be used by several goroutines, and its cache by several processes.
type Reader struct {
	// Cache is the folder that keeps what layers hold; empty: nothing is kept.
	Cache string
	// Temp is the folder for files too large for memory; empty: the system's.
	Temp      string
	Limits    Limits
	Analyzers []Analyzer
	// Parallel is how many layers are read at once. Default 2.
	Parallel int
}

// Read reads all layers of img that the cache does not know, and lays them over each other.
//
// An image that breaks its formats' rules or goes beyond Limits is a *verdict.Error with verdict fail whose cause is a
// *BadInput; bytes that cannot be had are one with verdict inconclusive.
func (r *Reader) Read(ctx context.Context, img v1.Image) (*Contents, error) {
	read := &reading{Reader: *r}
	read.Limits = r.Limits.withDefaults()
	if read.Parallel <= 0 {
		read.Parallel = 2
	}
	read.budget = &budget{limits: read.Limits}
	read.memory = newMemory(read.Limits)
	read.cache = newCache(r.Cache, r.Analyzers, read.Limits)

	contents, layers, err := describe(img, read.Limits)
	if err != nil {
		return nil, err
	}
	if err := read.all(ctx, contents.Layers, layers); err != nil {
		return nil, err
	}
	if contents.tree, err = merge(contents.Layers, read.Limits); err != nil {
		return nil, err
	}
	return contents, nil
}

// reading is one Read under way.
type reading struct {
	Reader
	budget *budget
	memory *memory
	cache  cache
}

// all fills the records. A layer that stands in the image twice is read once.
func (r *reading) all(ctx context.Context, records []LayerRecord, layers []v1.Layer) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.Parallel)
	first := map[string]int{}
	for i := range records {
		if _, again := first[records[i].DiffID]; again {
			continue
		}
		first[records[i].DiffID] = i
		group.Go(func() error {
			return r.one(ctx, &records[i], layers[i], len(records))
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range records {
		if from := first[records[i].DiffID]; from != i {
			records[i].Layer, records[i].Cached = records[from].Layer, true
			if err := r.budget.charge(layerName(i, len(records), records[i].DiffID), &records[i].Layer); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reading) one(ctx context.Context, record *LayerRecord, layer v1.Layer, of int) (err error) {
	object := layerName(record.Index, of, record.DiffID)
	if err := ctx.Err(); err != nil {
		return unreadable(object, err)
	}
	ctx, task := progress.Start(ctx, "%s", object)
	if known, ok := r.cache.load(record.DiffID); ok {
		record.Layer, record.Cached = *known, true
		err := r.budget.charge(object, known)
		if err != nil {
			task.End(err)
			return placed(err, record)
		}
		task.EndCached()
		return nil
	}
	defer func() { task.End(err) }()
	fresh, err := r.walk(ctx, object, record, layer)
	if err != nil {
		return placed(err, record)
	}
	record.Layer = *fresh
	if err := r.cache.save(record.DiffID, fresh); err != nil {
		task.Warnf("%s could not be kept in the cache and will be read again next time: %v", object, err)
	}
	return nil
}

// walk reads the layer's tar: once, except for what only a hard link's name tells to be wanted.
func (r *reading) walk(ctx context.Context, object string, record *LayerRecord, layer v1.Layer) (_ *Layer, err error) {
	blob, err := layer.Compressed()
	if err != nil {
		return nil, unreadable(object, err)
	}
	tape, err := openStream(ctx, object, blob, r.Limits)
	if err != nil {
		return nil, err
	}
	defer tape.Close()
	tape.task, tape.size = progress.From(ctx), record.Size

	fresh := &Layer{}
	w := &walker{object: object, limits: r.Limits, budget: r.budget, layer: fresh, bench: newBench(ctx, object, &r.Reader, r.memory)}
	err = w.walk(w.bench.ctx, tape)
	if err == nil {
		err = tape.finish(record.DiffID)
	}
	if analysis := w.bench.wait(); analysis != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = analysis // the walk was cancelled because of it
	}
	if err != nil {
		return nil, err
	}
	fresh.Uncompressed, fresh.Results = tape.total, w.bench.results
	return fresh, nil
}

// placed tells an error that blames the image which layer it is about.
func placed(err error, record *LayerRecord) error {
	if bad := (*BadInput)(nil); errors.As(err, &bad) {
		bad.Place.Layer, bad.Place.CreatedBy = record.DiffID, maskedOnly(record.CreatedBy)
	}
	return err
}

func maskedOnly(createdBy string) string {
	text, _ := maskAssignments(createdBy)
	return text
}

// describe reads manifest and configuration, and checks that they fit together.
func describe(img v1.Image, limits Limits) (*Contents, []v1.Layer, error) {
	const object = "the image's manifest"
	raw, err := img.RawManifest()
	if err != nil {
		return nil, nil, unreadable(object, err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil, nil, malformed(object, verdict.Place{}, "it is not a manifest: %v", err)
	}
	config, err := configOf(img, manifest, limits)
	if err != nil {
		return nil, nil, err
	}
	if len(manifest.Layers) != len(config.RootFS.DiffIDs) {
		return nil, nil, malformed(object, verdict.Place{}, "it has %d layers, but the configuration has %d diff ids",
			len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	if len(manifest.Layers) > limits.Layers {
		return nil, nil, overLimit(object, verdict.Place{}, "layers", int64(limits.Layers), "the image has %d layers", len(manifest.Layers))
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, nil, unreadable("the image's layers", err)
	}
	if len(layers) != len(manifest.Layers) {
		return nil, nil, malformed(object, verdict.Place{}, "it has %d layers, of which %d are there", len(manifest.Layers), len(layers))
	}
	digest, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, unreadable(object, err)
	}
	contents := &Contents{Digest: digest.String(), Config: config, Layers: make([]LayerRecord, len(layers))}
	_, makers := historyOf(config)
	for i := range layers {
		diffID := config.RootFS.DiffIDs[i]
		if diffID.Algorithm != "sha256" || len(diffID.Hex) != 64 {
			return nil, nil, malformed(object, verdict.Place{}, "the diff id %s is not sha256:<64 hexadecimal digits>", clip(diffID.String()))
		}
		if manifest.Layers[i].Size < 0 { // sizes are added up, and bounds are held against the sum
			return nil, nil, malformed(object, verdict.Place{}, "layer %d is said to be %d bytes long", i+1, manifest.Layers[i].Size)
		}
		contents.Layers[i] = LayerRecord{
			Index: i, DiffID: diffID.String(), Digest: manifest.Layers[i].Digest.String(), Size: manifest.Layers[i].Size,
			CreatedBy: makers[i],
		}
	}
	return contents, layers, nil
}

// configOf reads the configuration and compares it with the manifest's word on it.
func configOf(img v1.Image, manifest *v1.Manifest, limits Limits) (*v1.ConfigFile, error) {
	const object = "the image's configuration"
	if manifest.Config.Size > limits.ConfigBytes {
		return nil, overLimit(object, verdict.Place{}, "config_bytes", limits.ConfigBytes, "it is %d bytes long", manifest.Config.Size)
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		return nil, unreadable(object, err)
	}
	digest, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return nil, unreadable(object, err)
	}
	if digest != manifest.Config.Digest {
		return nil, malformed(object, verdict.Place{}, "its digest is %s, but the manifest promises %s", digest, manifest.Config.Digest)
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return nil, malformed(object, verdict.Place{}, "it is not a configuration: %v", err)
	}
	return config, nil
}
