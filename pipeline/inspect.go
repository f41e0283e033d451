package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/hallmark-ci/hallmark/pipeline/check"
	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/image"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/scan"
)

// Inspected is an image that one gate alone looks at. Close it.
type Inspected struct {
	*surroundings
	Name     string // as outputs call it
	contents *image.Contents
	known    *check.BuildFacts
	made     *candidate
}

// Inspect opens an image for Check, Scan and Facts: "oci-layout:FOLDER", "docker-archive:FILE", or a reference in any
// registry; without one, the image that cfg describes is built.
func Inspect(ctx context.Context, cfg *config.Config, options Options, source string) (in *Inspected, err error) {
	ctx, task := progress.Start(ctx, stepRead)
	defer func() { task.End(worded(ctx, err)) }()
	reference := repositoryOf(cfg.Image)
	if source != "" {
		reference = repositoryOf(source)
	}
	s, err := openFor(ctx, cfg, options, reference)
	if err != nil {
		return nil, err
	}
	in = &Inspected{surroundings: s, Name: source}
	img, err := in.open(ctx, source)
	if err == nil {
		in.contents, err = s.read(ctx, img)
	}
	if err != nil {
		_ = in.Close()
		return nil, err
	}
	return in, nil
}

func (in *Inspected) open(ctx context.Context, source string) (v1.Image, error) {
	platform := ""
	if len(in.cfg.Build.Platforms) > 0 {
		platform = in.cfg.Build.Platforms[0]
	}
	kind, path, _ := strings.Cut(source, ":")
	switch {
	case source == "":
		made, _, err := in.surroundings.build(ctx, func() {})
		if err != nil {
			return nil, err
		}
		known := buildFacts(made)
		in.Name, in.known, in.made = in.cfg.Image+"@"+made.Digest, &known, &candidate{made: made}
		return image.OpenLayout(made.Layout, platform)
	case kind == "oci-layout":
		return image.OpenLayout(strings.TrimPrefix(path, "//"), platform)
	case kind == "docker-archive":
		return image.OpenDockerArchive(strings.TrimPrefix(path, "//"), platform)
	default:
		subject, err := in.lookUp(ctx, repositoryOf(source))
		if err != nil {
			return nil, err
		}
		in.Name = subject.String()
		return in.registry.Image(ctx, subject)
	}
}

// Close ends what Inspect opened.
func (in *Inspected) Close() error {
	var released error
	if in.made != nil {
		released = in.made.made.Release()
	}
	return errors.Join(released, in.close())
}

// Facts are what is true of the image, with the files that the packs ask for.
func (in *Inspected) Facts(names []string) (*image.Facts, error) {
	packs, err := check.Load(in.cfg.Dir, names...)
	if err != nil {
		return nil, err
	}
	return in.contents.Facts(image.FactsOptions{Files: check.Files(packs)})
}

// Check asks the packs about the image.
func (in *Inspected) Check(ctx context.Context, names []string) (check.Result, error) {
	packs, err := check.Load(in.cfg.Dir, names...)
	if err != nil {
		return check.Result{}, err
	}
	result, err := checkContents(ctx, in.checkInput(in.known), in.contents, packs, in.cfg.Check.VerdictWaivers())
	if err == nil && in.made != nil {
		in.made.locate(result.Findings)
	}
	return result, err
}

// Scan matches the image's packages with the vulnerability database, and looks for secrets.
func (in *Inspected) Scan(ctx context.Context) (*scan.Result, error) {
	database, err := in.database(ctx)
	if err != nil {
		return nil, err
	}
	result, err := scan.Run(ctx, in.contents, database, in.scanOptions(in.Name))
	if err != nil {
		return nil, fmt.Errorf("scanning %s: %w", in.Name, err)
	}
	if in.made != nil {
		in.made.locate(result.Findings)
	}
	return result, nil
}
