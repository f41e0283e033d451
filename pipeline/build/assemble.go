package build

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// assembly makes the candidate out of what the engine exported.
type assembly struct {
	layout     layoutFolder
	export     *export
	refiner    *refiner
	explicit   *time.Time // the caller's SourceDateEpoch
	imageEpoch *time.Time // the image's own date; nil: that of its layers
	rawBases   bool       // layers of bases came without their compression

	mu         sync.Mutex
	bases      map[string]ocispecs.Image // configuration of the base by platform; "": the only one
	baseless   bool                      // a platform starts from nothing
	referenced map[digest.Digest]bool
	first      ocispecs.Image // configuration of the first platform
	epoch      time.Time      // of the first platform's layers
	date       time.Time      // of the first platform's image
}

// learn takes the configurations of the base images from what the frontend returned.
func (a *assembly) learn(result *gateway.Result) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bases = map[string]ocispecs.Image{}
	for key, value := range result.Metadata {
		rest, found := strings.CutPrefix(key, exptypes.ExporterImageBaseConfigKey)
		if !found {
			continue
		}
		var config ocispecs.Image
		if err := json.Unmarshal(value, &config); err != nil {
			return fmt.Errorf("the base image's configuration: %w", err)
		}
		a.bases[normal(strings.TrimPrefix(rest, "/"))] = config
	}
	a.baseless = len(a.bases) < max(len(result.Refs), 1)
	return nil
}

func normal(platform string) string {
	parsed, err := platforms.Parse(platform)
	if platform == "" || err != nil {
		return ""
	}
	return platforms.Format(platforms.Normalize(parsed))
}

// have says whether a blob need not come from the engine. It is asked while the engine exports.
func (a *assembly) have(sum digest.Digest) bool {
	if a.layout.has(sum, 0) {
		return true
	}
	a.mu.Lock()
	var epochs []time.Time
	if a.baseless {
		epochs = append(epochs, layerEpoch(a.explicit, nil))
	}
	for _, base := range a.bases {
		epochs = append(epochs, layerEpoch(a.explicit, base.Created))
	}
	a.mu.Unlock()
	// Which platform the layer belongs to is not known yet: it must be known for whichever it is.
	for _, epoch := range epochs {
		if _, ok := a.refiner.known(sum, epoch); !ok {
			return false
		}
	}
	return true
}

// maxJSON bounds a manifest, an index and a configuration.
const maxJSON = 16 << 20

func (a *assembly) read(from *export, sum digest.Digest, into any) ([]byte, error) {
	path := from.path(sum)
	if _, err := os.Stat(path); err != nil {
		path = a.layout.path(sum)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading what the engine exported: %w", err)
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, maxJSON))
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what the engine exported, %s: %w", sum, err)
	}
	return body, nil
}

// put writes v into the layout as a blob that the candidate refers to.
func (a *assembly) put(v any) (digest.Digest, int64, error) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", 0, err
	}
	sum, err := a.layout.put(body)
	a.refer(sum)
	return sum, int64(len(body)), err
}

func (a *assembly) refer(sum digest.Digest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.referenced[sum] = true
}

// root makes the candidate's manifest or index from the engine's, and the layout around it.
func (a *assembly) root(ctx context.Context, exported ocispecs.Descriptor) (ocispecs.Descriptor, error) {
	made, err := a.descriptor(ctx, exported)
	if err != nil {
		return made, err
	}
	if err := a.layout.finish(made, a.referenced); err != nil {
		return made, err
	}
	return made, a.refiner.remember()
}

func (a *assembly) descriptor(ctx context.Context, exported ocispecs.Descriptor) (ocispecs.Descriptor, error) {
	if exported.MediaType != ocispecs.MediaTypeImageIndex {
		return a.manifest(ctx, exported, exported.Platform)
	}
	var index ocispecs.Index
	if _, err := a.read(a.export, exported.Digest, &index); err != nil {
		return exported, err
	}
	for i, one := range index.Manifests {
		made, err := a.manifest(ctx, one, one.Platform)
		if err != nil {
			return exported, err
		}
		index.Manifests[i] = made
	}
	sum, size, err := a.put(index)
	return ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageIndex, Digest: sum, Size: size}, err
}

// manifest makes one platform's image.
func (a *assembly) manifest(ctx context.Context, exported ocispecs.Descriptor, platform *ocispecs.Platform) (ocispecs.Descriptor, error) {
	var manifest ocispecs.Manifest
	if _, err := a.read(a.export, exported.Digest, &manifest); err != nil {
		return exported, err
	}
	var config ocispecs.Image
	raw, err := a.read(a.export, manifest.Config.Digest, &config)
	if err != nil {
		return exported, err
	}
	base := a.baseOf(platform)
	epoch := layerEpoch(a.explicit, base.Created)
	date := epoch
	if a.imageEpoch != nil {
		date = *a.imageEpoch
	}
	if err := a.layers(ctx, a.export, &manifest, &config, base, epoch); err != nil {
		return exported, err
	}
	patched, err := patchConfig(raw, &config, len(base.History), date)
	if err != nil {
		return exported, err
	}
	if manifest.Config.Digest, manifest.Config.Size, err = a.put(patched); err != nil {
		return exported, err
	}
	sum, size, err := a.put(manifest)
	if err != nil {
		return exported, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.date.IsZero() {
		a.first, a.epoch, a.date = config, epoch, date
	}
	return ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageManifest, Digest: sum, Size: size, Platform: platform}, nil
}

func (a *assembly) baseOf(platform *ocispecs.Platform) ocispecs.Image {
	a.mu.Lock()
	defer a.mu.Unlock()
	if platform != nil {
		if base, found := a.bases[platforms.Format(platforms.Normalize(*platform))]; found {
			return base
		}
	}
	return a.bases[""]
}

// layers turns the image's own layers, side by side, and takes those of the base as they are.
func (a *assembly) layers(ctx context.Context, from *export, manifest *ocispecs.Manifest, config *ocispecs.Image, base ocispecs.Image, epoch time.Time) error {
	if len(manifest.Layers) != len(config.RootFS.DiffIDs) {
		return fmt.Errorf("the engine exported %d layers with %d diff ids", len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2) // each uses every processor for compression already; the second overlaps reading and writing
	inBase := true
	for i, layer := range manifest.Layers {
		inBase = inBase && i < len(base.RootFS.DiffIDs) && base.RootFS.DiffIDs[i] == config.RootFS.DiffIDs[i]
		if inBase && !a.rawBases || layer.MediaType != ocispecs.MediaTypeImageLayer {
			a.refer(layer.Digest)
			manifest.Layers[i].Annotations = nil
			group.Go(func() error { return a.layout.adopt(from.path(layer.Digest), layer.Digest) })
			continue
		}
		turn := func() (refined, error) {
			return a.refiner.refine(ctx, from.path(layer.Digest), layer.Digest, epoch)
		}
		if inBase {
			turn = func() (refined, error) { return a.refiner.pack(ctx, from.path(layer.Digest), layer.Digest) }
		}
		group.Go(func() error {
			made, err := turn()
			if err != nil {
				return err
			}
			a.refer(made.Digest)
			manifest.Layers[i] = ocispecs.Descriptor{MediaType: a.refiner.mediaType(), Digest: made.Digest, Size: made.Size}
			config.RootFS.DiffIDs[i] = made.DiffID
			return nil
		})
	}
	return group.Wait()
}

// patchConfig brings dates and diff ids up to date in the configuration, and leaves every other field as it stands,
// also those that this program does not know.
func patchConfig(raw []byte, config *ocispecs.Image, baseHistory int, date time.Time) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	config.Created = &date
	for i := baseHistory; i < len(config.History); i++ {
		config.History[i].Created = &date
	}
	patch := map[string]any{"created": date, "rootfs": config.RootFS}
	if len(config.History) > 0 {
		patch["history"] = config.History
	}
	for name, value := range patch {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		maps.Copy(fields, map[string]json.RawMessage{name: text})
	}
	return fields, nil
}
