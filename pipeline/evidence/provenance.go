package evidence

import (
	"fmt"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/subject"
)

// buildType names the meaning of externalParameters below, as SLSA asks.
const buildType = "https://hallmark-ci.github.io/dockerfile-build/v1"

// Build is how the image came to be.
type Build struct {
	Dockerfile string            // path in the build context
	Target     string            // stage; empty: the last
	Args       map[string]string // values that look secret are masked when the statement is made
	Platforms  []string
	Bases      []Base  // images that the build pulled
	Source     *Source // nil: not known
	Builder    string  // URI of who built: the CI system's workflow, or "https://hallmark-ci.github.io/builder/embedded"
	Engine     string  // what built for it, where Builder does not say so: "embedded"
	Version    string  // of Hallmark
	Invocation string  // id of this build
	Epoch      int64   // SOURCE_DATE_EPOCH in seconds; 0: not set
	Started    time.Time
	Finished   time.Time
}

// Base is an image that the build pulled.
type Base struct {
	Ref    string // as written in the Dockerfile
	Digest string // "sha256:…"
}

// Source is the revision that the context was taken from.
type Source struct {
	URI    string // "git+https://github.com/owner/repository"
	Commit string // hexadecimal git object id
}

type provenance struct {
	BuildDefinition struct {
		BuildType            string             `json:"buildType"`
		ExternalParameters   externalParameters `json:"externalParameters"`
		InternalParameters   map[string]int64   `json:"internalParameters,omitempty"`
		ResolvedDependencies []descriptor       `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID      string            `json:"id"`
			Version map[string]string `json:"version,omitempty"`
		} `json:"builder"`
		Metadata struct {
			InvocationID string    `json:"invocationId,omitzero"`
			StartedOn    time.Time `json:"startedOn,omitzero"`
			FinishedOn   time.Time `json:"finishedOn,omitzero"`
		} `json:"metadata"`
	} `json:"runDetails"`
	Hallmark Mark `json:"hallmark"`
}

type externalParameters struct {
	Dockerfile string            `json:"dockerfile"`
	Target     string            `json:"target,omitzero"`
	Args       map[string]string `json:"args,omitempty"`
	Platforms  []string          `json:"platforms,omitempty"`
}

// epochParameter is the one internal parameter of the build type.
const epochParameter = "sourceDateEpoch"

// Provenance states how s was built, as SLSA provenance v1.
func Provenance(s subject.Subject, b Build, m Mark) (Statement, error) {
	if err := m.check(false); err != nil {
		return Statement{}, invalid(TypeProvenance, err)
	}
	if b.Builder == "" || b.Dockerfile == "" {
		return Statement{}, invalid(TypeProvenance, fmt.Errorf("it names no builder or no Dockerfile"))
	}
	var p provenance
	d, r := &p.BuildDefinition, &p.RunDetails
	d.BuildType = buildType
	d.ExternalParameters = externalParameters{Dockerfile: b.Dockerfile, Target: b.Target, Args: maskedArgs(b.Args), Platforms: b.Platforms}
	if b.Epoch != 0 {
		d.InternalParameters = map[string]int64{epochParameter: b.Epoch}
	}
	for _, base := range b.Bases {
		hexDigest, ok := strings.CutPrefix(base.Digest, "sha256:")
		if !ok || !isHex(hexDigest) {
			return Statement{}, invalid(TypeProvenance, fmt.Errorf("the base image %s has no sha256 digest", clip(base.Ref)))
		}
		d.ResolvedDependencies = append(d.ResolvedDependencies, descriptor{
			Name: baseName, URI: withoutUser(base.Ref), Digest: map[string]string{"sha256": hexDigest},
		})
	}
	if b.Source != nil {
		d.ResolvedDependencies = append(d.ResolvedDependencies, descriptor{
			Name: sourceName, URI: withoutUser(b.Source.URI), Digest: map[string]string{"gitCommit": b.Source.Commit},
		})
	}
	r.Builder.ID = b.Builder
	for name, value := range map[string]string{"hallmark": b.Version, "engine": b.Engine} {
		if value == "" {
			continue
		}
		if r.Builder.Version == nil {
			r.Builder.Version = map[string]string{}
		}
		r.Builder.Version[name] = value
	}
	r.Metadata.InvocationID, r.Metadata.StartedOn, r.Metadata.FinishedOn = b.Invocation, utc(b.Started), utc(b.Finished)
	p.Hallmark = m.normal()
	return build(s, TypeProvenance, p)
}

// The names under which resolvedDependencies tells base images and the source revision apart.
const (
	baseName   = "base"
	sourceName = "source"
)

// ParseProvenance reads what Provenance stated; masked arguments stay masked.
func ParseProvenance(s Statement) (Build, Mark, error) {
	var p provenance
	if err := read(s, TypeProvenance, &p); err != nil {
		return Build{}, Mark{}, err
	}
	if err := p.Hallmark.check(false); err != nil {
		return Build{}, Mark{}, invalid(TypeProvenance, err)
	}
	if got := p.BuildDefinition.BuildType; got != buildType {
		return Build{}, Mark{}, invalid(TypeProvenance, fmt.Errorf("the build type %q is not %s", clip(got), buildType))
	}
	x := p.BuildDefinition.ExternalParameters
	b := Build{
		Dockerfile: x.Dockerfile, Target: x.Target, Args: x.Args, Platforms: x.Platforms,
		Builder: p.RunDetails.Builder.ID, Version: p.RunDetails.Builder.Version["hallmark"], Engine: p.RunDetails.Builder.Version["engine"],
		Invocation: p.RunDetails.Metadata.InvocationID, Epoch: p.BuildDefinition.InternalParameters[epochParameter],
		Started: p.RunDetails.Metadata.StartedOn, Finished: p.RunDetails.Metadata.FinishedOn,
	}
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		switch d.Name {
		case baseName:
			b.Bases = append(b.Bases, Base{Ref: d.URI, Digest: "sha256:" + d.Digest["sha256"]})
		case sourceName:
			b.Source = &Source{URI: d.URI, Commit: d.Digest["gitCommit"]}
		}
	}
	return b, p.Hallmark, nil
}
