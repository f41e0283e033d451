package build

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	digest "github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// markLabel marks the image that a build leaves in Docker's store until it has been fetched. Its value is different in
// every build, and so is the image: what is removed at the end is nobody else's, even if he has built the same.
// The mark is taken out again before the candidate is made.
const markLabel = "io.github.hallmark-ci.build"

const removeWait = 30 * time.Second

// dockerStore is the way of a result through the classic image store of Docker's daemon, which sends no blobs: built
// into the store, fetched as docker save would, removed. A nil one stands for engines that send blobs.
type dockerStore struct {
	engine *engine.Engine
	mark   string
	config []byte // as the frontend made it, without the mark
}

func newDockerStore(e *engine.Engine) *dockerStore {
	if e.Exporter() != engine.Moby {
		return nil
	}
	return &dockerStore{engine: e, mark: rand.Text()}
}

// refuse says, before anything is built, what a Docker with the classic image store cannot do.
func (d *dockerStore) refuse(o Options, named contexts) error {
	if d == nil {
		return nil
	}
	wanted := ""
	switch {
	case len(o.Platforms) > 1:
		wanted = fmt.Sprintf("cannot hold an image of %d platforms (build them one by one)", len(o.Platforms))
	case len(o.CacheTo) > 0:
		wanted = "cannot write a build cache (leave build.cache.to away)"
	case len(named.stores) > 0:
		wanted = "cannot read an OCI layout as a named context (push that image to a registry, and name it with docker-image://)"
	default:
		return nil
	}
	return usage("%s keeps images in its classic store and %s. Or turn on Docker's containerd image store (Docker 25 or later), "+
		"run as root for the embedded engine, or set BUILDKIT_HOST", d.engine.Reason(), wanted)
}

// options are those of the build for Docker.
func (d *dockerStore) options(opt *client.SolveOpt, e *engine.Engine) {
	if e.Kind() == engine.Docker {
		// What a tag means in this daemon's store is nobody else's truth: bases are those of their registries.
		opt.FrontendAttrs["image-resolve-mode"] = "pull"
	}
	if d != nil {
		opt.Exports = []client.ExportEntry{{Type: string(engine.Moby)}}
	}
}

// sign puts the mark on what the frontend has made.
func (d *dockerStore) sign(result *gateway.Result) error {
	if d == nil {
		return nil
	}
	for key, config := range result.Metadata {
		if key != exptypes.ExporterImageConfigKey && !strings.HasPrefix(key, exptypes.ExporterImageConfigKey+"/") {
			continue
		}
		marked, err := withLabel(config, markLabel, d.mark)
		if err != nil {
			return fmt.Errorf("the configuration of the image: %w", err)
		}
		d.config = config
		result.AddMeta(key, marked)
	}
	if d.config == nil {
		return errors.New("the frontend has made no configuration of an image")
	}
	return nil
}

// withLabel adds a label to the configuration of an image.
func withLabel(config []byte, name, value string) ([]byte, error) {
	var outer, inner map[string]json.RawMessage
	var labels map[string]string
	err := json.Unmarshal(config, &outer)
	if text, found := outer["config"]; found && err == nil {
		err = json.Unmarshal(text, &inner)
	}
	if text, found := inner["Labels"]; found && err == nil {
		err = json.Unmarshal(text, &labels)
	}
	if err != nil {
		return nil, err
	}
	if labels == nil {
		labels = map[string]string{}
	}
	if inner == nil {
		inner = map[string]json.RawMessage{}
	}
	labels[name] = value
	if inner["Labels"], err = json.Marshal(labels); err != nil {
		return nil, err
	}
	if outer["config"], err = json.Marshal(inner); err != nil {
		return nil, err
	}
	return json.Marshal(outer)
}

// clean removes the image that the build has left in the store. It is called however the build has ended.
func (d *dockerStore) clean(ctx context.Context, built bool) {
	if d == nil || d.config == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeWait)
	defer cancel()
	ids, err := d.engine.Labelled(ctx, markLabel, d.mark)
	for _, id := range ids {
		err = errors.Join(err, d.engine.Remove(ctx, id))
	}
	if err != nil && built { // a build that failed for want of the daemon has said so
		progress.From(ctx).Warnf("the built image stays behind in Docker's store: %v. Remove it with docker image prune --filter label=%s", err, markLabel)
	}
}

// fetch brings the image into the scratch store, as an engine that sends blobs would have.
func (d *dockerStore) fetch(ctx context.Context, response map[string]string, a *assembly) (root ocispecs.Descriptor, err error) {
	ctx, task := progress.Start(ctx, "fetching the image from Docker's store")
	defer func() { task.End(err) }()
	id, err := digest.Parse(firstOf(response, exptypes.ExporterImageConfigDigestKey, exptypes.ExporterImageDigestKey))
	if err != nil {
		return root, fmt.Errorf("the engine's answer names no image: %w", err)
	}
	names, err := d.engine.Layers(ctx, id.String())
	if err != nil {
		return root, err
	}
	layers := make([]digest.Digest, len(names))
	for i, name := range names {
		if layers[i], err = digest.Parse(name); err != nil {
			return root, d.broken(fmt.Errorf("a layer's name %q: %w", name, err))
		}
	}
	wanted := a.wanted(layers)
	config, whole := d.ownConfig(layers)
	if len(wanted) > 0 || !whole {
		if config, err = d.save(ctx, id, layers, wanted, a); err != nil {
			return root, err
		}
	}
	return a.accept(config, layers)
}

func firstOf(response map[string]string, keys ...string) string {
	for _, key := range keys {
		if response[key] != "" {
			return response[key]
		}
	}
	return ""
}

// ownConfig is the configuration as Docker must have written it: the frontend's with the layers in it. It is whole
// unless the frontend left it to Docker to tell the history.
func (d *dockerStore) ownConfig(layers []digest.Digest) (config []byte, whole bool) {
	var told ocispecs.Image
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(d.config, &told) != nil || json.Unmarshal(d.config, &fields) != nil {
		return nil, false
	}
	count := 0
	for _, entry := range told.History {
		if !entry.EmptyLayer {
			count++
		}
	}
	rootfs, err := json.Marshal(ocispecs.RootFS{Type: "layers", DiffIDs: layers})
	if err != nil || count != len(layers) {
		return nil, false
	}
	fields["rootfs"] = rootfs
	config, err = json.Marshal(fields)
	return config, err == nil
}

// save fetches the wanted layers into the scratch store, and returns the configuration without the mark.
func (d *dockerStore) save(ctx context.Context, id digest.Digest, layers []digest.Digest, wanted map[digest.Digest]bool, a *assembly) ([]byte, error) {
	stream, err := d.engine.Save(ctx, id.String())
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	archive, err := readSaved(stream, layoutFolder(a.export.dir), func(sum digest.Digest) bool {
		return slices.Contains(layers, sum) && !wanted[sum]
	})
	if err == nil {
		var config []byte
		if config, err = archive.image(id, layers, wanted); err == nil {
			return d.unmark(config)
		}
	}
	if found := (*verdict.Error)(nil); errors.As(err, &found) || ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	return nil, d.broken(err)
}

// unmark puts the frontend's own words back in the place of those with the mark.
func (d *dockerStore) unmark(config []byte) ([]byte, error) {
	saved, own := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(config, &saved), json.Unmarshal(d.config, &own)); err != nil {
		return nil, d.broken(err)
	}
	delete(saved, "config")
	if text, found := own["config"]; found {
		saved["config"] = text
	}
	return json.Marshal(saved)
}

func (d *dockerStore) broken(err error) error {
	return &verdict.Error{
		Verdict: verdict.Inconclusive, Code: "engine.image", Doing: "reading the built image that came from", Object: d.engine.Reason(), Cause: err,
		Remedy: "Run again; if it happens again, see the log of Docker's daemon, or build with another engine",
	}
}

// wanted are the layers that must come: those whose outcome is not in the layout already.
func (a *assembly) wanted(layers []digest.Digest) map[digest.Digest]bool {
	base := a.baseOf(nil)
	epoch := layerEpoch(a.explicit, base.Created)
	wanted := map[digest.Digest]bool{}
	inBase := true
	for i, sum := range layers {
		inBase = inBase && i < len(base.RootFS.DiffIDs) && base.RootFS.DiffIDs[i] == sum
		key := a.refiner.key(sum, epoch)
		if inBase {
			key = a.refiner.packKey(sum)
		}
		if _, ok := a.refiner.noted(key); !ok {
			wanted[sum] = true
		}
	}
	return wanted
}

// accept writes what was fetched as a manifest of raw layers, those of the base too, into the scratch store.
func (a *assembly) accept(config []byte, layers []digest.Digest) (ocispecs.Descriptor, error) {
	a.rawBases = true
	scratch := layoutFolder(a.export.dir)
	sum, err := scratch.put(config)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	manifest := ocispecs.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageManifest,
		Config: ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageConfig, Digest: sum, Size: int64(len(config))},
		Layers: []ocispecs.Descriptor{},
	}
	for _, layer := range layers {
		manifest.Layers = append(manifest.Layers, ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageLayer, Digest: layer})
	}
	body, err := json.Marshal(manifest)
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	sum, err = scratch.put(body)
	return ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageManifest, Digest: sum, Size: int64(len(body))}, err
}
