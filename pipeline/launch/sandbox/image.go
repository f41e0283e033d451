package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// image is the pulled candidate.
type image struct {
	config   ocispecs.ImageConfig
	root     gateway.Reference
	home     string
	rootHome string // the home of root
}

// pull gets the image by digest and unpacks it.
func pull(ctx context.Context, gw gateway.Client, spec launch.Spec) (*image, error) {
	platform := platforms.DefaultSpec()
	if spec.Platform != "" {
		wanted, err := platforms.Parse(spec.Platform)
		if err != nil {
			return nil, fmt.Errorf("%w: the platform %q: %w", verdict.ErrUsage, spec.Platform, err)
		}
		platform = wanted
	}
	ref := spec.Subject.String()
	_, _, raw, err := gw.ResolveImageConfig(ctx, ref, sourceresolver.Opt{
		LogName: "read the image's configuration", ImageOpt: &sourceresolver.ResolveImageOpt{Platform: &platform},
	})
	if err != nil {
		return nil, err
	}
	var described ocispecs.Image
	if err := json.Unmarshal(raw, &described); err != nil {
		return nil, &launch.Error{Verdict: verdict.Fail, Code: launch.CodeUnpack, Reason: "the image's configuration is not readable: " + err.Error(), Remedy: "Build the image again", Cause: err}
	}
	if described.Architecture != runtime.GOARCH || described.OS != "linux" {
		return nil, &launch.Error{
			Verdict: verdict.Fail, Code: launch.CodePlatform,
			Reason: fmt.Sprintf("the image is for %s/%s and this machine is linux/%s", described.OS, described.Architecture, runtime.GOARCH),
			Remedy: "Build the image for this platform too, or launch it on a machine of its own kind",
		}
	}
	state, err := llb.Image(ref, llb.Platform(platform), llb.WithCustomName("pull "+ref)).Marshal(ctx)
	if err != nil {
		return nil, err
	}
	result, err := gw.Solve(ctx, gateway.SolveRequest{Definition: state.ToPB(), Evaluate: true})
	if err != nil {
		return nil, err
	}
	root, err := result.SingleRef()
	if err != nil {
		return nil, err
	}
	pulled := &image{config: described.Config, root: root}
	if root != nil {
		// Without a list of users everyone's home is the root, as with Docker.
		passwd, _ := root.ReadFile(ctx, gateway.ReadRequest{Filename: "/etc/passwd"})
		pulled.home, pulled.rootHome = homeOf(described.Config.User, string(passwd)), homeOf("0", string(passwd))
	}
	return pulled, nil
}

// asPlatform leaves of the configuration what the platform respects: it starts neither entry point nor command, and what
// it starts runs as root.
func (i *image) asPlatform() {
	i.config.Entrypoint, i.config.Cmd, i.config.User, i.home = nil, nil, "0:0", i.rootHome
}

// command is the entry point with args after it, or with the image's own command.
func (i *image) command(args []string) []string {
	if args == nil {
		args = i.config.Cmd
	}
	return append(append([]string(nil), i.config.Entrypoint...), args...)
}

// lookup finds a variable of the image's environment.
func (i *image) lookup(name string) (string, bool) {
	for _, entry := range i.config.Env {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value, true
		}
	}
	return "", false
}

// environment is the image's own with what Docker would add to it, and more, which wins.
func (i *image) environment(more ...string) []string {
	var env []string
	for _, entry := range i.config.Env {
		name, _, _ := strings.Cut(entry, "=")
		if !slices.ContainsFunc(more, func(added string) bool { return strings.HasPrefix(added, name+"=") }) {
			env = append(env, entry)
		}
	}
	if _, set := i.lookup("PATH"); !set {
		env = append(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	if _, set := i.lookup("HOME"); !set && i.home != "" {
		env = append(env, "HOME="+i.home)
	}
	return append(env, more...)
}

func (i *image) workdir() string {
	if i.config.WorkingDir == "" {
		return "/"
	}
	return i.config.WorkingDir
}

// homeOf finds the home of the configured user (a name or a number, perhaps with a group) in a list of users.
func homeOf(user, passwd string) string {
	user, _, _ = strings.Cut(user, ":")
	if user == "" {
		user = "0"
	}
	for line := range strings.Lines(passwd) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) >= 6 && (fields[0] == user || fields[2] == user) && fields[5] != "" {
			return fields[5]
		}
	}
	return "/"
}
