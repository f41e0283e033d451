package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/build"
	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/engine"
	"github.com/hallmark-ci/hallmark/pipeline/evidence"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/report"
	"github.com/hallmark-ci/hallmark/pipeline/subject"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// candidate is the image that the run is about: on disk, by digest. Its layout is the run's own until it is released.
type candidate struct {
	subject subject.Subject
	image   imageSource
	made    *build.Candidate
	known   check.BuildFacts // what only the build knows, for the packs
	builder string           // which engine built it
}

// release gives up what lies on disk of the candidate.
func (c candidate) release(ctx context.Context) {
	if err := c.made.Release(); err != nil {
		progress.From(ctx).Warnf("The candidate in %s stays on disk until the next build: %v", c.made.Layout, err)
	}
}

// imageSource is an image whose layers can be read again and again.
type imageSource = v1.Image

// build makes the candidate.
func (r *run) build(ctx context.Context) (c candidate, err error) {
	err = r.book.step(ctx, stepBuild, func(ctx context.Context) (outcome, error) {
		beginning := r.key.start
		if !r.signs() {
			beginning = func() {}
		}
		made, with, err := r.surroundings.build(ctx, beginning)
		if err != nil {
			return outcome{}, err
		}
		c = candidate{made: made, known: buildFacts(made), builder: string(with.Kind)}
		if c.subject, err = subject.New(r.repository, made.Digest); err != nil {
			return outcome{}, err
		}
		if c.image, err = image.OpenLayout(made.Layout, ""); err != nil {
			return outcome{}, err
		}
		r.book.candidate(c, with)
		switch {
		case with.unneeded:
			return skip("nothing has changed since it was built on %s; %s", day(made.Finished), c.subject.Short()), nil
		case made.CachedSteps == made.TotalSteps:
			return skip("%s, all cached; %s", verdict.Plural(made.TotalSteps, "step"), c.subject.Short()), nil
		}
		return did("%s, %d cached; %s", verdict.Plural(made.TotalSteps, "step"), made.CachedSteps, c.subject.Short()), nil
	})
	return c, err
}

// engineUsed says what built, and why that.
type engineUsed struct {
	Kind     engine.Kind
	Reason   string
	unneeded bool // nothing has changed, so it was not started
}

// build runs the build on the engine that the configuration chooses, and lets go of it at once: what a build needs of memory
// is not needed afterwards.
//
// Where nothing has changed since the last build, no engine is started at all; where one is, beginning is called first.
func (s *surroundings) build(ctx context.Context, beginning func()) (*build.Candidate, engineUsed, error) {
	kind := engine.Would(engineAddress(s.cfg.Engine))
	seen := build.Look(ctx, s.buildOptions(), string(kind))
	if made, same := seen.Unchanged(ctx, s.resolve); same {
		return made, engineUsed{Kind: kind, Reason: "not started, for nothing has changed", unneeded: true}, nil
	}
	beginning()
	builder, err := engine.Choose(ctx, engine.Choice{Address: engineAddress(s.cfg.Engine), Embedded: s.engineOptions()})
	if err != nil {
		return nil, engineUsed{}, err
	}
	used := engineUsed{Kind: builder.Kind(), Reason: builder.Reason()}
	options := s.buildOptions()
	options.Glance = &seen
	made, err := build.Run(ctx, builder, options)
	if closing := builder.Close(); err == nil {
		err = closing
	}
	return made, used, err
}

// resolve says which digest a base image's reference stands for.
func (s *surroundings) resolve(ctx context.Context, ref string) (string, error) {
	found, err := s.registry.Resolve(ctx, strings.TrimPrefix(ref, "docker-image://"))
	return found.Digest, err
}

func engineAddress(cfg config.Engine) string {
	if cfg.Use == "auto" {
		return ""
	}
	return cfg.Use
}

func (s *surroundings) engineOptions() engine.Options {
	root := s.cfg.Engine.Root
	if root == "" {
		root = s.home.buildEngine()
	}
	return engine.Options{
		Root: root, PlainHTTP: s.cfg.Registry.PlainHTTP, Mirrors: s.mirrors(), LockWait: time.Duration(s.cfg.Engine.Wait),
	}
}

// mirrors sends what is meant for the embedded registry to where it listens in this run.
func (s *surroundings) mirrors() map[string][]string {
	if s.local == nil {
		return nil
	}
	return map[string][]string{EmbeddedHost: {s.local.Addr()}}
}

func (s *surroundings) buildOptions() build.Options {
	cfg := s.cfg.Build
	o := build.Options{
		Context: cfg.Context, Dockerfile: cfg.Dockerfile, Target: cfg.Target,
		Layout: s.home.layout(s.repository, cfg.Context), Wait: time.Duration(s.cfg.Engine.Wait),
		Platforms: cfg.Platforms, Args: cfg.Args, Labels: cfg.Labels, Secrets: cfg.Secrets, Contexts: cfg.Contexts,
		NoCache: cfg.NoCache, CacheFrom: caches(cfg.Cache.From), CacheTo: caches(cfg.Cache.To),
		Compression: build.Compression(cfg.Compression),
		Credentials: s.registry.Credentials,
	}
	if epoch, set := cfg.SourceDateEpoch.Time(); set {
		o.SourceDateEpoch = &epoch
	}
	return o
}

// caches reads BuildKit's way of writing a cache, "type=local,src=FOLDER"; the configuration has checked it.
func caches(words []string) []build.Cache {
	var all []build.Cache
	for _, word := range words {
		cache := build.Cache{Attrs: map[string]string{}}
		for _, part := range strings.Split(word, ",") {
			if key, value, _ := strings.Cut(part, "="); key == "type" {
				cache.Type = value
			} else {
				cache.Attrs[key] = value
			}
		}
		all = append(all, cache)
	}
	return all
}

// buildFacts is what packs may ask about the build.
func buildFacts(made *build.Candidate) check.BuildFacts {
	facts := check.BuildFacts{Dockerfile: filepath.Base(made.Dockerfile), Bases: []check.Base{}, Steps: []check.Step{}}
	for _, base := range made.Bases {
		facts.Bases = append(facts.Bases, check.Base{Ref: base.Ref, Digest: base.Digest, Pinned: base.Pinned, Line: base.Line})
	}
	for _, step := range made.Steps {
		facts.Steps = append(facts.Steps, check.Step{Instruction: step.Instruction, Line: step.Line, Layer: step.Layer})
	}
	return facts
}

// provenance is how the candidate was built, and the inputs by which a later run knows the statement again.
func (c candidate) provenance(r *run) (evidence.Build, string) {
	cfg := r.cfg.Build
	dockerfile, err := filepath.Rel(cfg.Context, c.made.Dockerfile)
	if err != nil {
		dockerfile = filepath.Base(c.made.Dockerfile)
	}
	b := evidence.Build{
		Dockerfile: filepath.ToSlash(dockerfile), Target: cfg.Target, Args: maps.Clone(cfg.Args), Platforms: c.made.Platforms,
		Builder: "https://hallmark-ci.github.io/builder/" + c.builder, Version: r.version, Invocation: r.id,
		Started: c.made.Started, Finished: c.made.Finished,
	}
	if !c.made.SourceDateEpoch.IsZero() {
		b.Epoch = c.made.SourceDateEpoch.Unix()
	}
	inputs := map[string]string{"dockerfile": dockerfile, "target": cfg.Target, "builder": c.builder}
	if r.ci.Builder != "" {
		b.Builder, b.Engine, inputs["ci"] = r.ci.Builder, c.builder, r.ci.Builder
		b.Invocation = cmp.Or(r.ci.Invocation, b.Invocation)
	}
	if r.ci.Repository != "" && isCommit(r.ci.Revision) {
		b.Source = &evidence.Source{URI: "git+" + r.ci.Repository, Commit: r.ci.Revision}
		inputs["source"] = r.ci.Repository + "@" + r.ci.Revision
	}
	for _, base := range c.made.Bases {
		b.Bases = append(b.Bases, evidence.Base{Ref: base.Ref, Digest: base.Digest})
		inputs["base "+base.Ref] = base.Digest
	}
	return b, evidence.Inputs(inputs)
}

// candidate writes down what was built.
func (b *book) candidate(c candidate, with engineUsed) {
	b.write(func(r *report.Report) {
		r.Subject, r.MediaType, r.Platforms = c.subject, c.made.MediaType, c.made.Platforms
		r.Engine = report.Engine{Name: string(with.Kind), Reason: with.Reason}
		for _, base := range c.made.Bases {
			r.Bases = append(r.Bases, report.Base{Ref: base.Ref, Digest: base.Digest})
		}
	})
}

// Built is what the verb build made.
type Built struct {
	Digest    string        `json:"digest"`
	Layout    string        `json:"layout"`
	Platforms []string      `json:"platforms"`
	Bases     []report.Base `json:"bases"`
	Engine    string        `json:"engine"`
	Steps     int           `json:"steps"`
	Cached    int           `json:"cached"`
	Elapsed   time.Duration `json:"elapsed_ns"`
}

// Build builds the image that cfg describes into an OCI layout, and does no more. Where output is not empty, the
// layout is copied there; it must not exist yet.
func Build(ctx context.Context, cfg *config.Config, options Options, output string) (*Built, error) {
	if _, err := os.Lstat(output); output != "" && err == nil {
		return nil, fmt.Errorf("%w: %s exists already; name a folder that does not", verdict.ErrUsage, output)
	}
	s, err := open(ctx, cfg, options)
	if err != nil {
		return nil, err
	}
	defer s.close()
	made, with, err := s.build(ctx, func() {})
	if err != nil {
		return nil, err
	}
	defer candidate{made: made}.release(ctx)
	built := &Built{
		Digest: made.Digest, Layout: s.buildOptions().Layout, Platforms: made.Platforms, Engine: with.Reason,
		Steps: made.TotalSteps, Cached: made.CachedSteps, Elapsed: made.Finished.Sub(made.Started),
	}
	for _, base := range made.Bases {
		built.Bases = append(built.Bases, report.Base{Ref: base.Ref, Digest: base.Digest})
	}
	if output == "" {
		return built, nil
	}
	if err := os.CopyFS(output, os.DirFS(made.Layout)); err != nil {
		return nil, fmt.Errorf("copying the image to %s: %w", output, err)
	}
	built.Layout = output
	return built, nil
}
