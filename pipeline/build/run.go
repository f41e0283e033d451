package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/dockerfile/builder"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"

	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Run builds the Dockerfile on e. The candidate lies in Options.Layout until the next build into it, and for as long as
// the caller keeps it in a folder of its own: release it.
//
// An error is a *verdict.Error where it says something about the image or its surroundings: a step that fails is the
// image's fault; an engine that dies, or a registry that does not answer, is not.
func Run(ctx context.Context, e *engine.Engine, o Options) (*Candidate, error) {
	started := time.Now()
	o, err := o.check()
	if err != nil {
		return nil, err
	}
	file, err := readDockerfile(o.Dockerfile)
	if err != nil {
		return nil, err
	}
	named, err := resolveContexts(o.Contexts, o.Context)
	if err != nil {
		return nil, err
	}
	docker := newDockerStore(e)
	if err := docker.refuse(o, named); err != nil {
		return nil, err
	}
	secrets, err := readSecrets(o.Secrets)
	if err != nil {
		return nil, err
	}
	layout := layoutFolder(o.Layout)
	lock, err := layout.open(ctx, o.Wait)
	if err != nil {
		return nil, fmt.Errorf("the folder for the build's result: %w", err)
	}
	defer lock.Close()
	layout.sweep()
	layout.forget()
	// Taken before the engine reads anything: what changes meanwhile is then seen as a change next time.
	seen := o.Glance
	if seen == nil {
		now := Look(ctx, o, string(e.Kind()))
		seen = &now
	}
	if seen.err != nil {
		return nil, seen.err
	}
	dated := seen.dated
	if dated == nil {
		progress.From(ctx).Notef("the image is dated like its base: no source date was given, and the context is not under git")
	}

	a := &assembly{
		layout: layout, refiner: newRefiner(layout, o.Compression), explicit: o.SourceDateEpoch,
		imageEpoch: dated, referenced: map[digest.Digest]bool{},
	}
	if a.export, err = newExport(layout, scratch, a.have, e.LinkBlob); err != nil {
		return nil, fmt.Errorf("the folder for the build's result: %w", err)
	}
	defer a.export.close()

	asked := &lookups{failed: map[string]error{}}
	o.Credentials = asked.remember(o.Credentials)
	w := &witness{file: file}
	watched := newWatcher(w)
	exported, err := solve(ctx, e, docker, o, named, secrets, a, w, watched)
	if err != nil {
		return nil, explain(ctx, asked.cause(e.Blame(err)), file, watched)
	}
	root, err := assemble(ctx, a, exported)
	if err != nil {
		return nil, err
	}
	candidate := &Candidate{
		Layout: o.Layout, Digest: root.Digest.String(), MediaType: root.MediaType, Size: root.Size, Platforms: platformsOf(o, a.first),
		Bases: w.named(file, o.Args, named), Dockerfile: o.Dockerfile, Steps: mapSteps(file.chain(file.stage(o.Target), o.Args), a.first),
		SourceDateEpoch: a.date, LayerEpoch: a.epoch, Started: started, Finished: time.Now(),
	}
	candidate.CachedSteps, candidate.TotalSteps = watched.counts()
	layout.remember(seen.fingerprint, candidate)
	return layout.lend(candidate)
}

// imageEpoch is the image's own date where something says it: the caller, or git.
func imageEpoch(ctx context.Context, o Options) *time.Time {
	if o.SourceDateEpoch != nil {
		return o.SourceDateEpoch
	}
	if when, found := commitTime(ctx, o.Context); found {
		return &when
	}
	return nil
}

// solve has the engine build and export; the descriptor is that of what came into the scratch store.
func solve(ctx context.Context, e *engine.Engine, docker *dockerStore, o Options, named contexts, secrets secretStore, a *assembly, w *witness, watched *watcher) (ocispecs.Descriptor, error) {
	var root ocispecs.Descriptor
	opt, err := solveOptions(o, named, secrets, a)
	if err != nil {
		return root, err
	}
	// The engine's history would keep what steps write as it is, secrets and all. That of a BuildKit that is not ours is
	// its owner's to decide about.
	opt.Internal = e.Kind() == engine.Embedded
	docker.options(&opt, e)
	status := make(chan *client.SolveStatus, 16)
	done := make(chan struct{})
	go func() { watched.watch(ctx, status); close(done) }()
	alive, stop := e.While(ctx)
	defer stop()
	ahead := &early{engine: e, a: a, watched: watched, over: make(chan struct{})}
	response, err := e.Client().Build(alive, opt, "", func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		w.Client = c
		result, err := builder.Build(ctx, w)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(a.learn(result), docker.sign(result)); err != nil {
			return nil, err
		}
		graphs := graphsOf(ctx, result)
		watched.expect(graphs)
		if docker == nil { // Docker's classic store would make another image of each part
			ahead.follow(alive, graphs)
		}
		return result, nil
	}, status)
	<-done
	defer func() { docker.clean(ctx, response != nil) }()
	if err != nil {
		stop()
	}
	ahead.stop()
	if err != nil {
		return root, cmp.Or(w.refused, err)
	}
	if docker != nil {
		return docker.fetch(alive, response.ExporterResponse, a)
	}
	return descriptorOf(response)
}

func assemble(ctx context.Context, a *assembly, exported ocispecs.Descriptor) (root ocispecs.Descriptor, err error) {
	ctx, task := progress.Start(ctx, "dating and compressing layers")
	defer func() { task.End(err) }()
	root, err = a.root(ctx, exported)
	if err != nil && ctx.Err() == nil {
		err = &verdict.Error{
			Verdict: verdict.Inconclusive, Code: "build.layout", Doing: "writing the candidate to", Object: string(a.layout), Cause: err,
			Remedy: "Check that the folder's file system has room and may be written to",
		}
	}
	return root, err
}

func solveOptions(o Options, named contexts, secrets secretStore, a *assembly) (client.SolveOpt, error) {
	folders := map[string]string{"context": o.Context, "dockerfile": filepath.Dir(o.Dockerfile)}
	maps.Copy(folders, named.locals)
	locals := map[string]fsutil.FS{}
	for name, path := range folders {
		var err error
		if locals[name], err = engine.Folder(path); err != nil {
			return client.SolveOpt{}, usage("the folder %s, the build's %s: %v", path, name, err)
		}
	}
	sum := sha256.Sum256([]byte(o.Context))
	opt := client.SolveOpt{
		FrontendAttrs: attributes(o, named),
		LocalMounts:   locals,
		OCIStores:     named.stores,
		// By the key the engine finds its last copy of the context, and only changes are sent.
		SharedKey:    hex.EncodeToString(sum[:]),
		Session:      []session.Attachable{secretsprovider.NewSecretProvider(secrets), engine.Folders(folders)},
		CacheImports: caches(o.CacheFrom),
		CacheExports: caches(o.CacheTo),
		Exports:      []client.ExportEntry{rawLayers(a.export)},
	}
	if o.Credentials != nil {
		opt.Session = append(opt.Session, engine.Credentials(o.Credentials))
	}
	return opt, nil
}

// attributes are the Dockerfile frontend's.
func attributes(o Options, named contexts) map[string]string {
	attrs := map[string]string{
		"filename": filepath.Base(o.Dockerfile),
		// The frontend is here already: this keeps a "# syntax=" line from sending it to fetch itself.
		"cmdline": "builtin",
	}
	if o.Target != "" {
		attrs["target"] = o.Target
	}
	if len(o.Platforms) > 0 {
		attrs["platform"] = strings.Join(o.Platforms, ",")
	}
	if o.NoCache {
		attrs["no-cache"] = ""
	}
	if o.SourceDateEpoch != nil {
		attrs["build-arg:SOURCE_DATE_EPOCH"] = strconv.FormatInt(o.SourceDateEpoch.Unix(), 10)
	}
	for name, value := range o.Args {
		attrs["build-arg:"+name] = value
	}
	for name, value := range o.Labels {
		attrs["label:"+name] = value
	}
	for name, value := range named.attributes {
		attrs[name] = value
	}
	return attrs
}

func caches(all []Cache) []client.CacheOptionsEntry {
	out := make([]client.CacheOptionsEntry, 0, len(all))
	for _, one := range all {
		attrs := map[string]string{}
		for name, value := range one.Attrs {
			attrs[name] = value
		}
		out = append(out, client.CacheOptionsEntry{Type: one.Type, Attrs: attrs})
	}
	return out
}

func platformsOf(o Options, config ocispecs.Image) []string {
	if len(o.Platforms) > 0 {
		return o.Platforms
	}
	return []string{platforms.Format(config.Platform)}
}
