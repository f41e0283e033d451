package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/config"
	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/launch/databricks"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// workspaceTarget is the configuration's word for a launch in a Databricks workspace.
const workspaceTarget = config.Target("databricks")

// launchInWorkspace runs one launch on a cluster of a Databricks workspace.
func (r *run) launchInWorkspace(ctx context.Context, s staged, cfg config.Launch, index int) (*launch.Result, error) {
	options := databricks.Options{
		Settings: workspaceSettings(*cfg.Databricks),
		Tag:      s.subject.Tagged(s.tag),
		TagDigest: func(ctx context.Context) (string, error) {
			digest, found, err := r.registry.Head(ctx, s.subject.Repository, s.tag)
			if err == nil && !found {
				err = fmt.Errorf("the staging tag %s is gone from the registry", s.subject.Tagged(s.tag))
			}
			return digest, err
		},
		Private: func(ctx context.Context) (bool, error) { return r.registry.Private(ctx, s.subject) },
		InImage: func(ctx context.Context, path string) (string, bool, error) {
			contents, err := r.surroundings.read(ctx, s.image) // as a rule from the cache
			if err != nil {
				return "", false, err
			}
			return contents.FileDigest(ctx, s.image, path)
		},
		Memory: r.home.workspaces(),
	}
	target, err := databricks.New(options)
	if err != nil {
		return nil, err
	}
	return target.Run(ctx, launch.Spec{
		Subject: s.subject, Profile: launch.Databricks, Probes: probes(cfg.Probes),
		Timeout: time.Duration(cfg.Timeout), RunID: r.id, Owner: r.owner,
		LogPath: filepath.Join(r.home.run(r.id), fmt.Sprintf("launch-%d-%s-%s.log", index+1, cfg.Target, cfg.Profile)),
	})
}

func workspaceSettings(b config.Databricks) databricks.Settings {
	s := databricks.Settings{
		Profile: b.Profile, Host: strings.TrimSuffix(b.Host, "/"), Runtime: b.Runtime, NodeType: b.NodeType, SingleNode: string(b.SingleNode),
		Policy: b.PolicyID, Pool: b.InstancePoolID, DriverPool: b.DriverInstancePoolID, AccessMode: string(b.AccessMode),
		Credentials: databricks.Credentials{Username: string(b.Credentials.Username), Password: string(b.Credentials.Password)},
		SparkConf:   b.SparkConf, Env: b.Env, Tags: b.Tags, LogDelivery: strings.TrimRight(b.LogDelivery, "/"), LogRegion: b.LogRegion,
		Autotermination: time.Duration(b.Autotermination), Retries: b.Retries,
	}
	for _, script := range b.InitScripts {
		kind, address, region := script.Address()
		s.Scripts = append(s.Scripts, databricks.Script{Kind: kind, Path: address, Region: region})
	}
	return s
}

// withinReach refuses a launch in a workspace from a registry that lives on this machine alone, before anything is built.
// A workspace that is on this machine, too, reaches it.
func withinReach(cfg *config.Config, getenv func(string) string) error {
	if !strings.HasPrefix(repositoryOf(cfg.Image), EmbeddedHost+"/") {
		return nil
	}
	for i, l := range cfg.Launch {
		if l.Target != workspaceTarget || l.Databricks == nil {
			continue
		}
		host := l.Databricks.Host
		if host == "" && l.Databricks.Profile == "" {
			host = getenv("DATABRICKS_HOST")
		}
		if host != "" && !databricks.OnThisMachine(host) {
			return fmt.Errorf("%w: launch[%d] is in the workspace %s, which does not reach the registry that Hallmark embeds: name a repository with its registry in image", verdict.ErrUsage, i, host)
		}
	}
	return nil
}

// workspaceProbe is a probe that only a workspace can be asked.
func workspaceProbe(p config.Probe) (launch.Probe, bool) {
	switch {
	case p.R != nil:
		return launch.Probe{Kind: launch.R, Code: p.R.Code, Contains: p.R.Expect, Matches: p.R.Matches, Timeout: time.Duration(p.R.Timeout)}, true
	case p.Fuse != nil:
		return launch.Probe{Kind: launch.Fuse, Path: p.Fuse.Path, Write: p.Fuse.Write, Contains: p.Fuse.Expect, Matches: p.Fuse.Matches, Timeout: time.Duration(p.Fuse.Timeout)}, true
	case p.GPU != nil:
		return launch.Probe{Kind: launch.GPU, Contains: p.GPU.Expect, Matches: p.GPU.Matches, Timeout: time.Duration(p.GPU.Timeout)}, true
	}
	return launch.Probe{}, false
}

// CleanupOptions say which clusters Cleanup ends.
type CleanupOptions struct {
	Profile string        // of .databrickscfg, instead of the workspaces of the configuration
	Host    string        // likewise
	Run     string        // only clusters of this run, whatever their deadline
	Older   time.Duration // how long past its deadline a cluster must be
	DryRun  bool
}

// Cleanup ends what launches have left behind in the workspaces that the configuration names; without any, in the one
// that Databricks' own environment names, if it names one. What carries no tag of Hallmark's, it leaves alone.
func Cleanup(ctx context.Context, cfg *config.Config, with CleanupOptions, getenv func(string) string) ([]databricks.Swept, error) {
	swept := []databricks.Swept{}
	var failed []error
	for _, place := range workspaces(cfg, with, getenv) {
		found, err := databricks.Cleanup(ctx, databricks.Sweep{
			Profile: place.Profile, Host: place.Host, Run: with.Run, Older: with.Older, DryRun: with.DryRun,
		})
		swept, failed = append(swept, found...), append(failed, err)
	}
	return swept, errors.Join(failed...)
}

// Workspace is one that Databricks' own configuration names by its profile, or its address; without both, the one of
// Databricks' environment.
type Workspace struct {
	Profile string `json:"profile,omitempty"`
	Host    string `json:"host,omitempty"`
}

// Workspaces are those that launches of the configuration may leave something in, for who cleans up without it.
func Workspaces(cfg *config.Config, getenv func(string) string) []Workspace {
	return workspaces(cfg, CleanupOptions{}, getenv)
}

// workspaces are those to look into, each once.
func workspaces(cfg *config.Config, with CleanupOptions, getenv func(string) string) []Workspace {
	if with.Profile != "" || with.Host != "" {
		return []Workspace{{with.Profile, with.Host}}
	}
	var all []Workspace
	for _, l := range cfg.Launch {
		if l.Target != workspaceTarget || l.Databricks == nil {
			continue
		}
		if p := (Workspace{l.Databricks.Profile, strings.TrimSuffix(l.Databricks.Host, "/")}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	if len(all) == 0 && (getenv("DATABRICKS_HOST") != "" || getenv("DATABRICKS_CONFIG_PROFILE") != "") {
		all = append(all, Workspace{})
	}
	return all
}
